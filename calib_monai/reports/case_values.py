"""Case values: a measure's values case by case, and what they say about the value over all cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, pairwise
from math import fsum, isnan, nan

import numpy as np

from calib_monai.intervals import FEW, difference_is_sure, mean_interval
from calib_monai.measures import Measure
from calib_monai.reports.cases_file import columns_of
from calib_monai.reports.runs import Run, mean_of_known
from calib_monai.reports.table import Table, best_marks, kinds_of, unmarked

ABOUT_INTERVALS = (
    "The intervals are Student's t over cases. Cases count as independent; voxels do not, because voxels of a case err "
    "together. The mean over all cases of this kind lies in such an interval 95 times in 100. Another training has "
    "other intervals."
)
ABOUT_CHANCE = (
    "The mean over cases of a calibration error is too large if cases have few voxels, because chance alone makes an "
    "error. A pooled error measures all cases together, and chance adds less. A debiased error subtracts what chance "
    "adds, but a small error is then reported too small: read it as at least about this much."
)
ABOUT_NONE = (
    "A value that is not the mean over cases has no interval and is not marked as best. All cases together decide the "
    "signs in a pooled or debiased error, so the part of one case does not vary independently."
)
ABOUT_FEW = f"They are rough, because there are fewer than {FEW} cases."


def case_columns(run: Run, measure: str) -> dict[str, list[float]]:
    """For each case the values in the columns of a measure; empty if it has no columns."""
    names = columns_of(measure, run.metrics, next(iter(run.cases.values())))
    return {case: [row[name] for name in names] for case, row in run.cases.items()} if names else {}


def case_values(run: Run, measure: str) -> dict[str, float]:
    """For each case the mean over the columns of a measure; empty if it has no columns."""
    return {case: mean_of_known(row) for case, row in case_columns(run, measure).items()}


def averaged_values(run: Run, measure: str) -> dict[str, float]:
    """`case_values` if their mean (for counts their sum) is the value over all cases, else empty."""
    values = case_values(run, measure)
    if run.measure(measure).counts:
        over_all = fsum(chain(*case_columns(run, measure).values()))
    else:
        over_all = mean_of_known(values.values())
    same = np.isclose(over_all, run.metrics.get(measure, nan), rtol=1e-4, atol=1e-9, equal_nan=True)
    return values if same else {}


def sure_marks(values: Sequence[float], measure: Measure, of_cases: Sequence[Mapping[str, float]]) -> list[str]:
    """`best_marks`, without the marks that chance may explain.

    A mark stays if the interval of the difference from the next best, paired over the same cases, excludes 0.

    Args:
        values: the value of each row.
        measure: the measure of these values.
        of_cases: for each row, its value in each case; NaN or empty if that is not known.
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
    """A table with a row for each measure and a column for each run: the value over all cases and its interval.

    Args:
        runs: runs of the same cases.
        measures: the measures by name; counts are left out.
    """
    averaged = {name: measure for name, measure in measures.items() if not measure.counts}
    cells = [
        [measure.title, *(_with_interval(run, name, measure) for run in runs)] for name, measure in averaged.items()
    ]
    rows = kinds_of(averaged.values())
    note = ABOUT_INTERVALS
    if len(runs[0].cases) < FEW:
        note = f"{note} {ABOUT_FEW}"
    if any(name.endswith("_debiased") for name in averaged):
        note = f"{note} {ABOUT_CHANCE}"
    if not all(averaged_values(run, name) for run in runs for name in averaged if name in run.metrics):
        note = f"{note} {ABOUT_NONE}"
    return Table(
        "95 % intervals over cases", ["", *(run.name for run in runs)], cells, unmarked(cells), note, row_kinds=rows
    )


def _with_interval(run: Run, name: str, measure: Measure) -> str:
    """A value and its interval, as "0.812 (0.790 to 0.834)"; no interval if the value is not the mean over cases."""
    value = run.metrics.get(name, nan)
    low, high = mean_interval(list(averaged_values(run, name).values()))
    interval = "" if isnan(low) else f" ({measure.shown(low)} to {measure.shown(high)})"
    return f"{measure.shown(value)}{interval}"
