"""Structures: the Dice and the volume of each structure, and the cases in which it failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan, nan

from calib_monai.intervals import FEWEST, mean_interval
from calib_monai.measures import measure_of
from calib_monai.reports.case_values import Column, marks_together
from calib_monai.reports.comparable import not_compared
from calib_monai.reports.results import DICE
from calib_monai.reports.runs import Run, mean_of_known
from calib_monai.reports.table import Table, transposed, unmarked
from calib_monai.spelling import first_of

OF_DICE, OF_FAILURES, OF_VOLUME = "dice_foreground", "missed_structures", "volume_difference"
MEASURE_OF_VOLUME = measure_of(OF_VOLUME)
ABOUT_VOLUMES = "Mean over cases of (predicted - true) / true, with its 95 % interval."
MOST_TOLD = 10  # cases of one structure that are named


def structures_table(runs: Sequence[Run]) -> Table:
    """A table of the mean Dice over cases, with a row for each run and a column for each structure.

    The note names the structures that failed.
    """
    names = runs[0].class_names[1:]
    alike = not not_compared({OF_DICE: DICE}, runs)
    compared = []
    for name in names:
        of_cases = [{case: _value(OF_DICE, name, names, row) for case, row in run.cases.items()} for run in runs]
        means = [mean_of_known(of_run.values()) for of_run in of_cases]
        compared.append(Column(DICE, means, of_cases, compared=alike, patients=runs[0].patients))
    columns = [[run.name for run in runs], *(list(map(DICE.shown, one.values)) for one in compared)]
    marks = [[""] * len(runs), *marks_together(compared)]
    told = [f"{run.name}: {line}." for run in runs for line in failures(run.cases, run.class_names)]
    return Table("Dice of each structure", ["", *names], transposed(columns), transposed(marks), " ".join(told))


def volumes_table(runs: Sequence[Run]) -> Table | None:
    """A table of the mean volume difference over cases, a row for each run and a column for each structure.

    The note names the structures that a run draws too small or too large on average, if there are cases of `FEWEST`
    patients. None if no run measured volumes.
    """
    shown = [run for run in runs if OF_VOLUME in run.metrics]
    if not shown:
        return None
    names = runs[0].class_names[1:]
    cells, told = [], []
    for run in shown:
        differences = volume_differences(run)
        cells.append([run.name, *(in_percent(*differences[name]) for name in names)])
        told += [
            f"{run.name}: {name} is {'too small' if mean < 0 else 'too large'} on average."
            for name, (mean, low, high) in differences.items()
            if (low > 0 or high < 0) and len(set(run.patient_of_each)) >= FEWEST
        ]
    title = f"{MEASURE_OF_VOLUME.title[0].upper()}{MEASURE_OF_VOLUME.title[1:]} of each structure"
    return Table(title, ["", *names], cells, unmarked(cells), ABOUT_VOLUMES, listed=told)


def volume_differences(run: Run) -> dict[str, tuple[float, float, float]]:
    """For each structure the mean volume difference over cases, and its 95 % interval; NaN where it is not known."""
    names = run.class_names[1:]
    of_cases = {name: [_value(OF_VOLUME, name, names, row) for row in run.cases.values()] for name in names}
    return {
        name: (mean_of_known(values), *mean_interval(values, patients=run.patient_of_each))
        for name, values in of_cases.items()
    }


def in_percent(mean: float, low: float = nan, high: float = nan) -> str:
    """A volume difference as text, with its interval if that is known: "-12.0 (-15.1 to -8.9)"."""
    interval = "" if isnan(low) else f" ({MEASURE_OF_VOLUME.shown(low, '+')} to {MEASURE_OF_VOLUME.shown(high, '+')})"
    return MEASURE_OF_VOLUME.shown(mean, "+") + interval


def failures(cases: Mapping[str, Mapping[str, float]], class_names: Sequence[str]) -> list[str]:
    """A line for each structure that `MissedStructuresMetric` counted, with its cases.

    Args:
        cases: for each case its values, named by metric and class, as in `cases.csv`.
        class_names: the names of the classes, the background first.
    """
    lines, names = [], class_names[1:]
    for name in names:
        failed = [
            f"{case} (Dice {DICE.shown(_value(OF_DICE, name, names, values))})"
            for case, values in cases.items()
            if _value(OF_FAILURES, name, names, values) > 0
        ]
        if failed:
            lines.append(f"{name} failed in {len(failed)} of {len(cases)} case(s): {first_of(failed, MOST_TOLD)}")
    return lines


def _value(metric: str, name: str, names: Sequence[str], values: Mapping[str, float]) -> float:
    """The value of a structure in a case, NaN if it has none. If there is one structure, its column has no suffix."""
    return values.get(f"{metric}_{name}", values.get(metric, nan) if len(names) == 1 else nan)
