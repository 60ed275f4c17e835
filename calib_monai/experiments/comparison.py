"""Comparison: intervals for the means of an experiment, and tests of the differences between methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from calib_monai.experiments.trials import Row
from calib_monai.measures import Measure
from calib_monai.ranks import (
    METHODS_OF_FRIEDMAN,
    METHODS_TO_RANK,
    Floats,
    Friedman,
    bootstrap_interval,
    friedman,
    holm,
    mean_case_rank,
    paired_permutation,
    sum_rank,
)
from calib_monai.reports.comparable import not_compared

# As MbLS and NACL rank, with NLL, and with the errors of a proper region where networks have about equally much of it.
RANKED = ("dice_foreground", "hd95_mm", "hd95_pixels", "nll_all", "ece_plausible", "cece_plausible")


@dataclass(frozen=True)
class Comparison:
    """Intervals, tests and ranks of the rows of an experiment, by measure.

    Attributes:
        intervals: of each row by name: 95 % interval over cases of its mean, by measure.
        reference: the row that the others are tested against.
        p_values: of each other row: that it differs from the reference, paired over cases, by measure.
        corrected: the same corrected for the number of rows tested, Holm's way.
        friedman: over cases, by measure; fewer than three rows have none.
        ranked: the measures that the ranks below are over.
        sum_ranks: mean over `ranked` of the rank of each row's mean.
        case_ranks: mean over `ranked` and cases of its rank.
    """

    intervals: dict[str, dict[str, tuple[float, float]]]
    reference: str
    p_values: dict[str, dict[str, float]]
    corrected: dict[str, dict[str, float]]
    friedman: dict[str, Friedman]
    ranked: list[str]
    sum_ranks: dict[str, float]
    case_ranks: dict[str, float]


def compare(rows: Sequence[Row], measures: Mapping[str, Measure]) -> Comparison:
    """Compare the rows over cases; the first row is the reference.

    Each case counts once, with its mean over seeds. The tests therefore hold for other cases, but for these networks.

    Args:
        rows: rows of the same cases.
        measures: the measures to compare, with their directions; those that `not_compared` names have intervals only.
    """
    unlike = not_compared(measures, [row.run for row in rows])
    values = {name: _values(rows, name) for name in measures if not measures[name].counts}
    names = [row.name for row in rows]
    tested = {
        name: [nan if name in unlike else _p_value(array[0], other) for other in array[1:]]
        for name, array in values.items()
    }
    stepped = {name: holm(p_values).tolist() for name, p_values in tested.items()}
    ranked = [name for name in RANKED if name in measures.keys() - unlike] if len(rows) >= METHODS_TO_RANK else []
    stacked = np.stack([values[name] for name in ranked], axis=-1) if ranked else np.empty((len(rows), 0, 0))
    directions = [not measures[name].more_is_better for name in ranked]
    return Comparison(
        intervals={
            row: {name: _interval(array[index]) for name, array in values.items()} for index, row in enumerate(names)
        },
        reference=names[0],
        p_values=_by_row(names[1:], tested),
        corrected=_by_row(names[1:], stepped),
        friedman={
            name: friedman(array, lower_is_better=not measures[name].more_is_better)
            for name, array in values.items()
            if measures[name].more_is_better is not None
            and name not in unlike
            and len(rows) >= METHODS_OF_FRIEDMAN
            and (~np.isnan(array).any(axis=0)).sum() > 1
        },
        ranked=ranked,
        sum_ranks=dict(zip(names, sum_rank(stacked, directions).tolist(), strict=True)) if ranked else {},
        case_ranks=dict(zip(names, mean_case_rank(stacked, directions).tolist(), strict=True)) if ranked else {},
    )


def _values(rows: Sequence[Row], measure: str) -> Floats:
    """The values of each case, (rows, cases)."""
    return np.array([list(row.by_case(measure).values()) for row in rows])


def _interval(values: Floats) -> tuple[float, float]:
    """The interval of a mean, NaN where fewer than two cases have a value."""
    return bootstrap_interval(values) if (~np.isnan(values)).sum() > 1 else (nan, nan)


def _p_value(first: Floats, other: Floats) -> float:
    """The p-value of a difference, NaN where fewer than two cases have both."""
    return paired_permutation(first, other) if (~np.isnan(first - other)).sum() > 1 else nan


def _by_row(names: Sequence[str], by_measure: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Values listed by measure, as dictionaries by row."""
    return {row: {measure: listed[index] for measure, listed in by_measure.items()} for index, row in enumerate(names)}
