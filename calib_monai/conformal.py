"""Conformal prediction: what n patients allow to promise of one more, if all are exchangeable."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor, inf

import torch
from scipy import stats
from torch import Tensor

from calib_monai.arguments import check_share
from calib_monai.spelling import did_you_mean

LEVELS = {"coverage": 0.9, "miss_rate": 0.05}  # what is promised by default, of intervals and of margins
SPREAD_OF_COVERAGE = 0.95  # share of evaluations whose measured coverage lies in `coverage_range`
ROUNDING = 1e-9  # of a sum of weights such as thirds


def conformal_levels(conformal: Mapping[str, float]) -> dict[str, float]:
    """The levels that a configuration has under `conformal`, those of `LEVELS` where it has none.

    Raises:
        ValueError: something else than levels by their names.
    """
    known = ", ".join(LEVELS)
    if not isinstance(conformal, Mapping):
        raise ValueError(f"conformal is {conformal!r}; it must be a dictionary that may have {known}")  # noqa: TRY004 - of a setting
    for name, value in conformal.items():
        if name not in LEVELS:
            raise ValueError(f"conformal has {name}; it may have {known}{did_you_mean(str(name), LEVELS)}")
        check_share(f"conformal#{name}", value)
    return LEVELS | dict(conformal)


def fewest_cases(coverage: float) -> int:
    """The fewest patients whose cases allow an interval of this coverage: the least n with ceil((n + 1) coverage) <= n.

    Args:
        coverage: the share of cases whose value the interval holds.

    Raises:
        ValueError: as `check_share`.

    Examples:
        >>> fewest_cases(0.9), fewest_cases(0.95)
        (9, 19)
    """
    check_share("coverage", coverage)
    share = exact(coverage)
    return ceil(share / (1 - share))


def fewest_for_miss_rate(miss_rate: float) -> int:
    """The fewest patients whose cases allow a margin with this miss rate: the least n with 1 / (n + 1) <= miss_rate.

    Args:
        miss_rate: the share of a structure that the margin misses on average.

    Raises:
        ValueError: as `check_share`.

    Examples:
        >>> fewest_for_miss_rate(0.05), fewest_for_miss_rate(0.1)
        (19, 9)
    """
    check_share("miss_rate", miss_rate)
    return ceil(1 / exact(miss_rate) - 1)


def most_coverage(patients: int) -> float:
    """The largest coverage, in two decimals, of an interval that so many patients allow; 0 if there are too few.

    Examples:
        >>> most_coverage(8), most_coverage(9), most_coverage(0)
        (0.88, 0.9, 0.0)
    """
    return floor(Fraction(100 * patients, patients + 1)) / 100


def least_miss_rate(patients: int) -> float:
    """The smallest miss rate, in two decimals, of a margin that so many patients allow; 1 if there are none.

    Examples:
        >>> least_miss_rate(19), least_miss_rate(8), least_miss_rate(0)
        (0.05, 0.12, 1.0)
    """
    return ceil(Fraction(100, patients + 1)) / 100


def conformal_quantile(scores: Tensor, coverage: float, patients: Tensor | None = None) -> float:
    """The value that the score of a random case of a new patient does not exceed with a probability of `coverage`.

    Without `patients` it is the ceil((n + 1) coverage)-th smallest of n scores, and infinite if n is below
    `fewest_cases`. This holds if the n cases and the new one are exchangeable (Vovk et al. 2005; Lei et al. 2018,
    arXiv:1604.04173, Theorem 2). Of several cases of a patient each has the weight 1 / (their number). The value is
    then the smallest score at which the weights of the scores up to it sum to at least (n + 1) coverage, where n is the
    number of patients. This holds for a case drawn at random from a new patient, if the patients are exchangeable (Lee
    et al. 2023, arXiv:2306.06342, hierarchical conformal prediction).

    Args:
        scores: of the cases, (cases,).
        coverage: the share of new cases.
        patients: the number of each case's patient, from 0, (cases,); without it each case is a patient.

    Raises:
        ValueError: as `check_share`.

    Examples:
        >>> from torch import arange
        >>> conformal_quantile(arange(1.0, 20.0), 0.9), conformal_quantile(arange(8.0), 0.9)
        (18.0, inf)
    """
    check_share("coverage", coverage)
    places = (
        torch.arange(len(scores), device=scores.device)
        if patients is None
        else torch.unique(patients, return_inverse=True)[1]
    )
    cases = places.bincount()  # of each patient
    ordered, order = scores.sort()
    weights = (1 / cases.double())[places[order]].cumsum(dim=0)
    reached = weights + ROUNDING >= float((len(cases) + 1) * exact(coverage))
    return float(ordered[reached][0]) if reached.any() else inf


def coverage_range(fitted: int, measured: int, coverage: float) -> tuple[float, float]:
    """Between which shares the measured coverage of intervals lies in 95 of 100 evaluations.

    The number of covered cases has a beta-binomial distribution if all cases are exchangeable, which several of one
    patient are not, and no two scores are equal (Vovk 2012, arXiv:1209.2673).

    Args:
        fitted: number of cases from which the intervals follow, at least `fewest_cases`.
        measured: number of cases that are measured, at least 1.
        coverage: of the intervals.

    Examples:
        >>> coverage_range(fitted=25, measured=50, coverage=0.9)
        (0.76, 1.0)
    """
    rank = ceil((fitted + 1) * exact(coverage))  # the place of the score that decides, from 1
    low, high = stats.betabinom(measured, rank, fitted + 1 - rank).interval(SPREAD_OF_COVERAGE)
    return float(low) / measured, float(high) / measured


def exact(level: float) -> Fraction:
    """A level as it is written: the nearest binary number to 0.9 would need a case more."""
    return Fraction(str(float(level)))
