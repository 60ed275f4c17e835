"""Case values: a measure's values case by case, and what they say about the value over all cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from math import fsum, isnan, nan
from typing import NamedTuple

import numpy as np

from calib_monai.intervals import LEVEL, NONE_KNOWN, surely_more
from calib_monai.measures import Measure, is_distance
from calib_monai.reports.runs import Run, mean_of_known, means_of_known
from calib_monai.reports.table import BEST, SECOND, best_marks


def case_values(run: Run, measure: str) -> dict[str, float]:
    """For each case the mean over the columns of a measure; empty if it has no columns."""
    return means_of_known(run.columns(measure))


def averaged_values(run: Run, measure: str) -> dict[str, float]:
    """`case_values` if their mean (for counts their sum) is the value over all cases, else empty."""
    values = case_values(run, measure)
    if run.measure(measure).counts:
        over_all = fsum(chain(*run.columns(measure).values()))
    else:
        over_all = mean_of_known(values.values())
    same = np.isclose(over_all, run.metrics.get(measure, nan), rtol=1e-4, atol=1e-9, equal_nan=True)
    return values if same else {}


def compared_values(measure: str, of_cases: Mapping[str, float]) -> dict[str, float]:
    """For each case the value that is compared with other runs.

    A distance has no value if prediction and label are both empty. This prediction is right, so it counts as 0 here:
    two runs that are right tie, and a run that is right is better than one that invents a structure.

    Args:
        measure: the name of the measure.
        of_cases: its value in each case. If no value is known, the measure was not measured.
    """
    if not is_distance(measure) or all(map(isnan, of_cases.values())):
        return dict(of_cases)
    return {case: 0.0 if isnan(value) else value for case, value in of_cases.items()}


class Column(NamedTuple):
    """A measure's column of a table.

    Attributes:
        measure: the measure.
        values: the value of each row.
        of_cases: for each row, its value in each case, from `compared_values`; NaN or empty if that is not known.
        compared: whether rows are compared by it.
        patients: the patient of each case, where it is known.
    """

    measure: Measure
    values: Sequence[float]
    of_cases: Sequence[Mapping[str, float]]
    compared: bool = True
    patients: Mapping[str, str] = NONE_KNOWN

    @property
    def tested(self) -> bool:
        """Whether a row may be better than another."""
        known = [of_row for of_row in self.of_cases if of_row]
        return self.compared and self.measure.more_is_better is not None and len(known) > 1


def marks_together(columns: Sequence[Column]) -> list[list[str]]:
    """`sure_marks` of each column, at a level that all columns reach together (Bonferroni).

    If rows are equally good, at least one mark of the table is wrong in at most 5 of 100 tables.
    """
    level = 1 - (1 - LEVEL) / max(sum(column.tested for column in columns), 1)
    return [
        sure_marks(column.values, column.measure, column.of_cases, level, column.patients)
        if column.tested
        else [""] * len(column.values)
        for column in columns
    ]


def sure_marks(
    values: Sequence[float],
    measure: Measure,
    of_cases: Sequence[Mapping[str, float]],
    level: float = LEVEL,
    patients: Mapping[str, str] = NONE_KNOWN,
) -> list[str]:
    """`best_marks`, without the marks that chance may explain.

    A mark stays if the value is surely better than each worse one: the whole interval of the difference, paired over
    the cases that both have, says so.

    Args:
        values: the value of each row.
        measure: the measure of these values.
        of_cases: as in `Column`.
        level: of the interval.
        patients: as in `Column`.
    """
    marks, shown = best_marks(values, measure), measure.rounded(values)
    for mark in (BEST, SECOND):
        marked = [row for row, of_row in enumerate(marks) if of_row == mark]
        worse = [row for row, value in enumerate(shown) if marked and _is_better(shown[marked[0]], value, measure)]
        pairs = [(of_cases[one], of_cases[other]) for one in marked for other in worse]
        if not all(surely_more(*(pair if measure.more_is_better else pair[::-1]), level, patients) for pair in pairs):
            return [BEST if mark == SECOND and of_row == BEST else "" for of_row in marks]
    return marks


def _is_better(one: float, other: float, measure: Measure) -> bool:
    """Whether one value is better than another; False where one is NaN."""
    return one > other if measure.more_is_better else one < other
