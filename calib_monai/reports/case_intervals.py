"""Case intervals: the interval of a mean over cases, and what a reader must know about it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from math import isnan, nan

import numpy as np
from numpy.typing import ArrayLike

from calib_monai.intervals import FEW, mean_interval, patients_of
from calib_monai.measures import Measure, is_distance, limits_of
from calib_monai.reports.case_values import averaged_values
from calib_monai.reports.runs import Run
from calib_monai.reports.table import Table, kinds_of, unmarked

ABOUT_INTERVALS = (
    "The intervals are Student's t over cases. Cases count as independent; voxels do not, because voxels of a case err "
    "together."
)
ABOUT_ONE_TRAINING = (
    "Cases of a patient count as one, if the patients are known. Of 100 such intervals, 95 hold the mean over all "
    "cases of this kind. Another training has other intervals."
)
ABOUT_LIMITS = (
    "No interval goes beyond the values that its measure can have. If all cases have the same value, there is none: "
    "they do not show how much cases differ."
)
ABOUT_CHANCE = (
    "The mean over cases of a calibration error is too large if cases have few voxels, because chance alone makes an "
    "error. A pooled error measures all cases together, and chance adds less. A debiased error subtracts what chance "
    "adds, but a small error is then reported too small: the true one is about as large or larger."
)
ABOUT_NONE = (
    "A value that is not the mean over cases has no interval and is not marked as best. All cases together decide the "
    "signs in a pooled or debiased error, so the part of one case does not vary independently."
)
ABOUT_DISTANCES = (
    "A structure that is missed or invented counts as the diagonal of the volume, and a few of them dominate the mean "
    "distance. If a structure was missed, distances have no interval. If none was, their intervals are for cases in "
    "which none is missed. Look at the missed structures, too."
)
ABOUT_FEW = f"They are rough, because there are fewer than {FEW} patients."


def any_missed(run: Run) -> bool:
    """Whether a structure was missed or invented in any case, by the measures that tell it."""
    telling = {name: run.measure(name) for name in run.metrics if run.measure(name).tells_missed}
    return any(
        value > 0 if measure.counts else value == 0
        for name, measure in telling.items()
        for values in run.columns(name).values()
        for value in values
    )


def interval_of(
    measure: str, values: Sequence[float], *, missed: bool, patients: Sequence[str] = ()
) -> tuple[float, float]:
    """The interval of a mean over cases, (NaN, NaN) where there is none.

    Args:
        measure: its name, which says how far values can go.
        values: of each case.
        missed: whether a structure was missed in any of them: then a distance has no interval.
        patients: the patient of each case; without them each case is a patient.
    """
    return within_limits(measure, mean_interval(values, patients=patients), values, missed=missed)


def within_limits(
    measure: str, interval: tuple[float, float], values: ArrayLike, *, missed: bool
) -> tuple[float, float]:
    """An interval of a mean of these values, without what its measure cannot be; arguments as in `interval_of`.

    There is none if all values are equal: six of six covered volumes do not show that each one will be.
    """
    low, high = interval
    if isnan(low) or (missed and is_distance(measure)):
        return nan, nan
    lowest, highest = np.nanmin(values), np.nanmax(values)
    if lowest == highest:
        return nan, nan
    least, most = limits_of(measure)
    within = least <= lowest and highest <= most  # a metric of one's own may be called so
    return (max(low, least), min(high, most)) if within else (low, high)


def num_known(patients: Iterable[Hashable], values: Iterable[float]) -> int:
    """The number of patients with a value, from the patient and the value of each case."""
    return len({patient for patient, value in zip(patients, values, strict=True) if not isnan(value)})


def about_intervals(
    measures: Mapping[str, Measure], known: Mapping[str, int], about_trainings: str = ABOUT_ONE_TRAINING
) -> str:
    """The text that a reader of intervals needs.

    Args:
        measures: those that are shown, by name.
        known: of each the number of patients with a value, in the row that has the fewest; 0 or 1 have no interval.
        about_trainings: what the intervals say of other trainings, and of patients with several cases.
    """
    note = [ABOUT_INTERVALS, about_trainings, ABOUT_LIMITS]
    shown = [name for name in measures if known[name] > 1]
    few = [measures[name].title for name in shown if known[name] < FEW]
    if few:
        some = f"Those of {', '.join(few)} are rough, because fewer than {FEW} patients have a value."
        note.append(ABOUT_FEW if len(few) == len(shown) else some)
    if any(map(is_distance, shown)):
        note.append(ABOUT_DISTANCES)
    return " ".join(note)


def intervals_table(runs: Sequence[Run], measures: Mapping[str, Measure]) -> Table:
    """A table with a row for each measure and a column for each run: the value over all cases and its interval.

    Args:
        runs: runs of the same cases.
        measures: the measures by name; counts are left out.
    """
    averaged = {name: measure for name, measure in measures.items() if not measure.counts}
    cells = [
        [measure.title, *(" ".join(filter(None, value_and_interval(run, name, measure))) for run in runs)]
        for name, measure in averaged.items()
    ]
    rows, note = kinds_of(averaged.values()), intervals_note(runs, averaged)
    return Table(
        "95 % intervals over cases", ["", *(run.name for run in runs)], cells, unmarked(cells), note, row_kinds=rows
    )


def intervals_note(runs: Sequence[Run], measures: Mapping[str, Measure]) -> str:
    """The text that a reader of these runs' intervals needs; counts have none."""
    averaged = {name: measure for name, measure in measures.items() if not measure.counts}
    values = {name: [averaged_values(run, name) for run in runs] for name in averaged}
    known = {
        name: min(num_known(patients_of(of, runs[0].patients), of.values()) for of in values[name]) for name in averaged
    }
    note = about_intervals(averaged, known)
    cases, patients = runs[0].cases, set(patients_of(runs[0].cases, runs[0].patients))
    if len(patients) < len(cases):
        note = f"{note} The {len(cases)} cases are of {len(patients)} patients."
    if any(name.endswith("_debiased") for name in averaged):
        note = f"{note} {ABOUT_CHANCE}"
    if not all(of for name in averaged for run, of in zip(runs, values[name], strict=True) if name in run.metrics):
        note = f"{note} {ABOUT_NONE}"
    return note


def value_and_interval(run: Run, name: str, measure: Measure) -> tuple[str, str]:
    """A value and its interval, as "0.812" and "(0.790 to 0.834)"; "" if the value is not the mean over cases."""
    value = measure.shown(run.metrics.get(name, nan))
    if measure.counts:
        return value, ""
    values = averaged_values(run, name)
    patients, missed = patients_of(values, run.patients), is_distance(name) and any_missed(run)
    low, high = interval_of(name, list(values.values()), missed=missed, patients=patients)
    return value, "" if isnan(low) else f"({measure.shown(low)} to {measure.shown(high)})"
