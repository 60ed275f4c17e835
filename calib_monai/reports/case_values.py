"""Case values: what a measure's value over all cases is made of, case by case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import isclose, isnan, nan

from calib_monai.bins import Bins
from calib_monai.intervals import FEW, difference_is_sure, mean_interval, parts_of_ratio
from calib_monai.measures import Measure
from calib_monai.reports.runs import Run, mean_of_known
from calib_monai.reports.table import Table, best_marks, kinds_of, unmarked

ABOUT_INTERVALS = (
    "By Student's t over cases, which count as independent; voxels do not, for those of a case err together. Other "
    "cases of this kind may give any value in the interval; a network that is trained again may give others."
)
ABOUT_CHANCE = (
    "The mean over cases of a calibration error is too large where cases have few voxels, for chance alone makes an "
    "error. Pooled, all cases are one, and there is less of this; debiased, what chance adds is taken off."
)
ABOUT_FEW = f" They are rough, for there are fewer than {FEW} cases."


def columns_of(measure: str, measures: Iterable[str], columns: Iterable[str]) -> list[str]:
    """The columns of `cases.csv` of a measure, and not of one whose name goes on, such as `hd95_mm_regions`.

    Args:
        measure: its name.
        measures: the names of all.
        columns: the names of all columns.
    """
    longest = sorted(measures, key=len, reverse=True)
    of = {name: next((one for one in longest if name == one or name.startswith(f"{one}_")), None) for name in columns}
    return [name for name, one in of.items() if one == measure]


def case_values(run: Run, measure: str) -> dict[str, float]:
    """By case what the value of a measure is the mean of; empty where that is not known."""
    names = columns_of(measure, run.metrics, next(iter(run.cases.values())))
    if names:
        return {case: mean_of_known(row[name] for name in names) for case, row in run.cases.items()}
    kind, *words = measure.split("_")
    bins = {"ece": run.case_bins, "cece": run.case_class_bins}.get(kind, {})
    if bins.keys() != run.cases.keys() or words not in ([run.region, "pooled"], [run.region, "debiased"]):
        return {}
    parts = _parts(Bins.stack(bins[case] for case in run.cases), debiased=words[-1] == "debiased")
    value = run.metrics[measure]
    # Its bins may have been others than those that were kept.
    same = isclose(sum(parts) / len(parts), value, rel_tol=1e-4, abs_tol=1e-6)
    return dict(zip(run.cases, parts, strict=True)) if same else {}


def _parts(bins: Bins, *, debiased: bool) -> list[float]:
    """Of each case what it adds to the error of all together, of bins (cases[, C], num_bins)."""
    errors, voxels = bins.pooled_errors(debiased=debiased)
    if errors.ndim > 1:  # the mean over classes, each of which has all voxels
        errors, voxels = errors.mean(dim=1), voxels.mean(dim=1)
    return parts_of_ratio(errors.tolist(), voxels.tolist())


def sure_marks(values: Sequence[float], measure: Measure, of_cases: Sequence[Mapping[str, float]]) -> list[str]:
    """`best_marks`, but none that other cases may give to the next best.

    A mark stays where the interval of the difference from the next best excludes 0, paired over the same cases.

    Args:
        values: of each row.
        measure: how they are read.
        of_cases: for each row, by case what its value is the mean of; empty where that is not known.
    """
    marks, shown = best_marks(values, measure), measure.rounded(values)
    levels = sorted({value for value in shown if not isnan(value)}, reverse=bool(measure.more_is_better))
    rows = [[row for row, value in enumerate(shown) if value == level] for level in levels]
    for better, worse in pairwise(rows[:3]):
        if not all(difference_is_sure(of_cases[one], of_cases[other]) for one in better for other in worse):
            unsure = {row for level in rows[rows.index(better) :] for row in level}
            return ["" if row in unsure else mark for row, mark in enumerate(marks)]
    return marks


def intervals_table(runs: Sequence[Run], measures: Mapping[str, Measure]) -> Table:
    """A row a measure, a column a run: the value over all cases and its interval.

    Args:
        runs: of the same cases.
        measures: what is shown, by name; what is counted is left out.
    """
    averaged = {name: measure for name, measure in measures.items() if not measure.counts}
    cells = [
        [measure.title, *(_with_interval(run, name, measure) for run in runs)] for name, measure in averaged.items()
    ]
    rows = kinds_of(averaged.values())
    note = ABOUT_INTERVALS + ABOUT_FEW * (len(runs[0].cases) < FEW)
    if any(name.endswith("_debiased") for name in averaged):
        note = f"{note} {ABOUT_CHANCE}"
    return Table(
        "95 % intervals over cases", ["", *(run.name for run in runs)], cells, unmarked(cells), note, row_kinds=rows
    )


def _with_interval(run: Run, name: str, measure: Measure) -> str:
    """A value and its interval, as "0.812 (0.790 to 0.834)"."""
    value = run.metrics.get(name, nan)
    low, high = mean_interval(list(case_values(run, name).values()))
    interval = "" if isnan(low) else f" ({measure.shown(low)} to {measure.shown(high)})"
    return f"{measure.shown(value)}{interval}"
