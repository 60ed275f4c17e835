"""Intervals for the mean over all cases of a kind, from the measured cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan, sqrt

import numpy as np
from scipy import stats

LEVEL = 0.95
FEW = 10  # cases, below which an interval is rough
FEWEST = 6  # cases, below which even differences of one sign in every case are chance in more than 5 of 100 (sign test)


def mean_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """The interval of a mean over cases by Student's t; (NaN, NaN) for fewer than two cases or infinite values.

    Cases count as random and independent; voxels do not, because voxels of a case err together.

    Args:
        values: the value of each case; NaN is left out.
        level: the share of such intervals that hold the mean over all cases of this kind.

    Examples:
        >>> [round(end, 3) for end in mean_interval([0.7, 0.8, 0.9])]
        [0.552, 1.048]
    """
    known = np.asarray([value for value in values if not np.isnan(value)], dtype=np.float64)
    if len(known) < 2 or not np.isfinite(known).all():  # noqa: PLR2004 - one has no deviation
        return nan, nan
    half = float(stats.t.ppf((1 + level) / 2, len(known) - 1)) * known.std(ddof=1) / sqrt(len(known))
    return float(known.mean() - half), float(known.mean() + half)


def surely_more(first: Mapping[str, float], second: Mapping[str, float], level: float = LEVEL) -> bool:
    """Whether the whole interval of first - second lies above 0, over the cases that have both: at least `FEWEST`.

    Args:
        first: values by case.
        second: other values by case.
        level: as in `mean_interval`.
    """
    differences = [value - second[case] for case, value in first.items() if case in second]
    low, _ = mean_interval(differences, level)
    return low > 0 and len(differences) - np.isnan(differences).sum() >= FEWEST
