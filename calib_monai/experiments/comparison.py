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
    friedman,
    holm,
    mean_case_rank,
    paired_permutation,
    sum_rank,
)
from calib_monai.reports.alike import unlike_images
from calib_monai.reports.case_intervals import any_missed, interval_of
from calib_monai.reports.case_values import compared_values
from calib_monai.reports.comparable import not_compared

# As MbLS and NACL rank, with NLL, and with the errors of a proper region where networks have about equally much of it.
RANKED = ("dice_foreground", "hd95_mm", "hd95_pixels", "nll_all", "ece_plausible", "cece_plausible")


@dataclass(frozen=True)
class Comparison:
    """Intervals, tests and ranks of the rows of an experiment, by measure.

    Attributes:
        intervals: of each row by name: 95 % interval over cases of its mean, by measure.
        not_compared: the measures by which no row is better than another, and why.
        known: by measure, the number of cases with a value in the row that has the fewest.
        reference: the row that the others are tested against.
        p_values: of each other row: that it differs from the reference, paired over cases, by measure.
        corrected: the same corrected for the number of rows tested, Holm's way.
        friedman: over cases, by measure; fewer than three rows have none.
        ranked: the measures that the ranks below are over.
        sum_ranks: mean over `ranked` of the rank of each row's mean.
        case_ranks: mean over `ranked` and cases of its rank.
    """

    intervals: dict[str, dict[str, tuple[float, float]]]
    not_compared: dict[str, str]
    known: dict[str, int]
    reference: str
    p_values: dict[str, dict[str, float]]
    corrected: dict[str, dict[str, float]]
    friedman: dict[str, Friedman]
    ranked: list[str]
    sum_ranks: dict[str, float]
    case_ranks: dict[str, float]


def compare(rows: Sequence[Row], measures: Mapping[str, Measure]) -> Comparison:
    """Compare the rows over cases; the first row is the reference.

    Each case counts once, with its mean over trials. The tests therefore hold for other cases, but for these networks.
    If images were disturbed differently, there are no ranks, and the reference is tested only against rows of the same
    images or of its own networks: a difference must have one cause.

    Args:
        rows: rows of the same cases.
        measures: the measures to compare, with their directions; those that `not_compared` names have intervals only.
    """
    runs = [row.run for row in rows]
    unlike, untested = not_compared(measures, runs), not_compared(measures, runs, despite_images=True)
    shown = {name: [row.by_case(name) for row in rows] for name in measures if not measures[name].counts}
    values = {name: _array(of_rows) for name, of_rows in shown.items()}
    paired = {name: _array([compared_values(name, row) for row in of_rows]) for name, of_rows in shown.items()}
    names = [row.name for row in rows]
    missed = [any(any_missed(trial.run) for trial in row.trials) for row in rows]
    twice = [_differ_twice(rows[0], row) for row in rows[1:]]
    tested = {
        name: [
            nan if name in untested or differ else _p_value(array[[0, row]], values[name][[0, row]])
            for row, differ in enumerate(twice, 1)
        ]
        for name, array in paired.items()
    }
    stepped = {name: holm(p_values).tolist() for name, p_values in tested.items()}
    known = {name: int((~np.isnan(array)).sum(axis=1).min()) for name, array in values.items()}
    may_rank = len(rows) >= METHODS_TO_RANK
    ranked = [name for name in RANKED if may_rank and known.get(name) and name not in unlike]
    of_means, of_cases = (
        np.stack([arrays[name] for name in ranked], axis=-1) if ranked else np.empty((len(rows), 0, 0))
        for arrays in (values, paired)
    )
    directions = [not measures[name].more_is_better for name in ranked]
    return Comparison(
        intervals={
            row: {name: interval_of(name, array[index], missed=missed[index]) for name, array in values.items()}
            for index, row in enumerate(names)
        },
        not_compared=unlike,
        known=known,
        reference=names[0],
        p_values=_by_row(names[1:], tested),
        corrected=_by_row(names[1:], stepped),
        friedman={
            name: friedman(array, lower_is_better=not measures[name].more_is_better)
            for name, array in paired.items()
            if measures[name].more_is_better is not None
            and name not in unlike
            and len(rows) >= METHODS_OF_FRIEDMAN
            and (~np.isnan(array).any(axis=0)).sum() > 1
        },
        ranked=ranked,
        sum_ranks=dict(zip(names, sum_rank(of_means, directions).tolist(), strict=True)) if ranked else {},
        case_ranks=dict(zip(names, mean_case_rank(of_cases, directions).tolist(), strict=True)) if ranked else {},
    )


def _array(of_rows: Sequence[Mapping[str, float]]) -> Floats:
    """The values of each case, (rows, cases)."""
    return np.array([list(of_cases.values()) for of_cases in of_rows])


def _differ_twice(first: Row, other: Row) -> bool:
    """Whether two rows differ in their networks, and their images were disturbed differently, too."""
    networks = {(row.trials[0].method, row.trials[0].network) for row in (first, other)}
    return len(networks) > 1 and bool(unlike_images([first.run, other.run]))


def _p_value(paired: Floats, shown: Floats) -> float:
    """The p-value of a difference, NaN if it has none.

    It has none if fewer than two cases have both values, or if the difference in these cases contradicts the means that
    are shown, because one method has no value in the others.

    Args:
        paired: the values that are compared, (2, cases).
        shown: the values that the means are made of, (2, cases).
    """
    first, other = paired
    difference = (first - other)[~np.isnan(first - other)]
    if len(difference) < 2:  # noqa: PLR2004 - one has no deviation
        return nan
    means = [values[~np.isnan(values)].mean() for values in shown]
    if np.isnan(shown).any() and difference.mean() * (means[0] - means[1]) < 0:
        return nan
    return paired_permutation(first, other)


def _by_row(names: Sequence[str], by_measure: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Values listed by measure, as dictionaries by row."""
    return {row: {measure: listed[index] for measure, listed in by_measure.items()} for index, row in enumerate(names)}
