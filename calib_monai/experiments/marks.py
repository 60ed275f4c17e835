"""Marks: which rows of an experiment cannot be distinguished from the best."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import NamedTuple

from calib_monai.experiments.comparison import difference_of, is_sure
from calib_monai.experiments.trials import Row
from calib_monai.intervals import LEVEL
from calib_monai.measures import Measure
from calib_monai.reports.table import BEST, NOTABLE, best_marks


class Column(NamedTuple):
    """A column of a table of means.

    Attributes:
        name: the name of the measure.
        measure: the measure.
        values: the value of each row.
        structure: the column of `cases.csv`, if the values are those of a structure.
        compared: whether rows are compared by it.
    """

    name: str
    measure: Measure
    values: Sequence[float]
    structure: str = ""
    compared: bool = True


def marks_of(rows: Sequence[Row], columns: Sequence[Column]) -> list[list[str]]:
    """For each column the mark of each row: `NOTABLE` if it is not surely worse than the best; none if no row is worse.

    A row is surely worse if the interval of its difference from the best says so, at a level that all pairs of rows in
    all columns reach together (Bonferroni): which row is the best is not known beforehand. If rows are equally good,
    some row of the table is wrongly left without a mark in at most 5 of 100 tables.
    """
    tested = [column.compared and column.measure.more_is_better is not None for column in columns]
    level = 1 - (1 - LEVEL) / max(sum(tested) * comb(len(rows), 2), 1)
    return [
        _of_column(rows, column, level) if test else [""] * len(rows)
        for column, test in zip(columns, tested, strict=True)
    ]


def _of_column(rows: Sequence[Row], column: Column, level: float) -> list[str]:
    """The marks of a column whose rows are compared."""
    if BEST not in (marks := best_marks(column.values, column.measure)):
        return [""] * len(rows)
    best = rows[marks.index(BEST)]
    worse = []
    for row in rows:
        found = difference_of(row, best, column.name, column.structure)
        worse.append(row is not best and is_sure(found, level) and (found.value < 0) == column.measure.more_is_better)
    return ["" if of_row else NOTABLE for of_row in worse] if any(worse) else [""] * len(rows)
