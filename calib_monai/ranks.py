"""Ranks and tests: which of several methods is better over cases and measures, and whether this may be chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from calib_monai.arguments import check_choice
from calib_monai.intervals import nanmean

Floats = NDArray[np.float64]

TIES = ("average", "min")
METHODS_TO_RANK = 2
METHODS_OF_FRIEDMAN = 3


@dataclass(frozen=True)
class Friedman:
    """The result of Friedman's test for several methods.

    Attributes:
        mean_ranks: mean rank of each method over the blocks, the best lowest, (M,).
        statistic: chi-squared with M - 1 degrees of freedom, corrected for ties.
        p_value: p-value for the hypothesis that methods do not differ.
        posthoc: p-value of each pair by Nemenyi's test, (M, M), 1 on the diagonal.
    """

    mean_ranks: Floats
    statistic: float
    p_value: float
    posthoc: Floats


def method_ranks(values: ArrayLike, *, lower_is_better: bool, ties: str = "average") -> Floats:
    """Ranks of the methods in each column, 1 the best, (M, ...).

    A value that is missing (NaN) is worse than any other.

    Args:
        values: of M methods, (M, ...).
        lower_is_better: the direction of what was measured.
        ties: "average", equal values share the mean of their ranks; "min", they share the best of these, as
            spreadsheets rank and as CRaC (Murugesan et al. 2024, Table 1) did.

    Raises:
        ValueError: fewer than two methods or unknown `ties`.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim < 1 or len(array) < METHODS_TO_RANK:
        raise ValueError(f"values are {array.shape}; they must be (methods, ...) of at least {METHODS_TO_RANK} methods")
    check_choice("ties", ties, TIES)
    costs = array if lower_is_better else -array
    ranks: Floats = stats.rankdata(np.where(np.isnan(costs), np.inf, costs), method=ties, axis=0)  # type: ignore[call-overload]
    return ranks


def sum_rank(values: ArrayLike, lower_is_better: Sequence[bool]) -> Floats:
    """Mean over measures of the rank of each method's mean over cases, (M,), as MbLS and NACL rank.

    Args:
        values: (M, cases, measures); cases without a value (NaN) are left out of a mean.
        lower_is_better: for each measure its direction.

    Raises:
        ValueError: values of another shape, or of another number of measures.
    """
    array = _of_measures(values, lower_is_better)
    ranks: Floats = _over_measures(nanmean(array, axis=1), lower_is_better).mean(axis=-1)
    return ranks


def mean_case_rank(values: ArrayLike, lower_is_better: Sequence[bool]) -> Floats:
    """Mean over measures of the methods' mean ranks over cases, (M,), as MbLS and NACL rank.

    A case in which a method has no value (NaN) is left out of that measure, and a measure without cases altogether.

    Args:
        values: (M, cases, measures).
        lower_is_better: for each measure its direction.

    Raises:
        ValueError: values of another shape, or of another number of measures.
    """
    array = _of_measures(values, lower_is_better)
    known = ~np.any(np.isnan(array), axis=0, keepdims=True)
    ranks = _over_measures(array, lower_is_better).sum(axis=1, where=known) / known.sum(axis=1).clip(1)
    measured = np.any(known, axis=1)
    if not np.any(measured):
        return np.full(len(array), np.nan)
    mean: Floats = ranks.sum(axis=-1, where=measured) / np.sum(measured)
    return mean


def friedman(values: ArrayLike, *, lower_is_better: bool) -> Friedman:
    """Friedman's test, and Nemenyi's of each pair (Demsar 2006, JMLR 7).

    Args:
        values: of M methods in n blocks, such as cases, (M, n), M at least 3 and n at least 2. Blocks in which a
            method has no value are left out.
        lower_is_better: the direction of what was measured.

    Raises:
        ValueError: fewer methods, or fewer blocks in which all have a value.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 2:  # noqa: PLR2004 - methods, blocks
        array = array[:, ~np.isnan(array).any(axis=0)]
    if array.ndim != 2 or len(array) < METHODS_OF_FRIEDMAN or array.shape[1] < 2:  # noqa: PLR2004
        raise ValueError(
            f"values with no missing ones are {array.shape}; they must be (methods, blocks), at least "
            f"{METHODS_OF_FRIEDMAN} methods and 2 blocks"
        )
    methods, blocks = array.shape
    mean_ranks = method_ranks(array, lower_is_better=lower_is_better).mean(axis=1)
    statistic, p_value = stats.friedmanchisquare(*array) if np.ptp(array, axis=0).any() else (0.0, 1.0)
    apart = np.abs(mean_ranks[:, None] - mean_ranks) / math.sqrt(methods * (methods + 1) / (6 * blocks))
    posthoc = stats.studentized_range.sf(apart * math.sqrt(2), methods, np.inf)
    return Friedman(mean_ranks, float(statistic), float(p_value), np.clip(posthoc, 0, 1))


def holm(p_values: ArrayLike) -> Floats:
    """p-values of any shape, corrected for their number (Holm 1979); NaN stays and does not count."""
    array = np.asarray(p_values, dtype=np.float64)
    known = ~np.isnan(array)
    values = array[known]
    order = np.argsort(values)
    values[order] = np.maximum.accumulate(np.clip(values[order] * np.arange(len(order), 0, -1), 0, 1))
    corrected: Floats = array.copy()
    corrected[known] = values
    return corrected


def _of_measures(values: ArrayLike, lower_is_better: Sequence[bool]) -> Floats:
    """The values as (methods, cases, measures); ValueError where they are not."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 3 or array.shape[2] != len(lower_is_better):  # noqa: PLR2004 - axes
        raise ValueError(
            f"values are {array.shape} with {len(lower_is_better)} directions; they must be (methods, cases, measures)"
        )
    return array


def _over_measures(values: Floats, lower_is_better: Sequence[bool]) -> Floats:
    """The ranks of the methods in values (M, ..., measures)."""
    return np.stack(
        [method_ranks(values[..., k], lower_is_better=lower) for k, lower in enumerate(lower_is_better)], axis=-1
    )
