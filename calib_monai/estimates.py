"""Estimates: a mean over cases, or the difference of two, for other cases and other trainings of the same kind."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from calib_monai.intervals import LEVEL, nanmean, variance_of_mean

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean and how uncertain it is.

    Attributes:
        value: the mean over cases of each case's mean over trainings.
        error: its standard error. It counts patients and, if there are several trainings, trainings. NaN if there are
            fewer than two patients.
        freedom: the degrees of freedom of Student's t (Satterthwaite).
        deviation: the standard deviation over cases of a case's mean over trainings.
        patients: the number of patients with a value.
    """

    value: float
    error: float
    freedom: float
    deviation: float
    patients: int

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """The interval by Student's t; (NaN, NaN) if there is none."""
        if not np.isfinite(self.error):
            return nan, nan
        half = float(stats.t.ppf((1 + level) / 2, self.freedom)) * self.error if self.error else 0.0
        return self.value - half, self.value + half

    @property
    def p_value(self) -> float:
        """Two-sided p-value for a mean of 0; NaN if there is none."""
        if not np.isfinite(self.error):
            return nan
        if not self.error:
            return float(not self.value)
        return float(2 * stats.t.sf(abs(self.value) / self.error, self.freedom))

    @property
    def effect(self) -> float:
        """The mean in standard deviations between cases (Cohen's d of paired values); NaN if these do not vary."""
        return self.value / self.deviation if self.deviation > 0 else nan

    def is_within(self, margin: float) -> bool:
        """Whether the mean is surely between -margin and margin, by two one-sided tests at 5 %."""
        low, high = self.interval(0.9)
        return -margin < low and high < margin


def estimate(values: Floats, patients: Sequence[Hashable]) -> Estimate:
    """The mean of the values.

    SE^2 = the variance of the mean over patients + the variance between trainings / their number. A patient's cases
    are one cluster: their deviations from the mean are added before they are squared. One training has no variance
    between trainings, and its estimate is about other cases only.

    Args:
        values: of each training in each case, (S, n); a missing value is NaN.
        patients: the patient of each case, (n,).
    """
    return _estimate(values, patients, [values])


def difference(first: Floats, second: Floats, patients: Sequence[Hashable], *, same_trainings: bool) -> Estimate:
    """The mean of first - second, paired over cases.

    Args:
        first: of each training in each case, (S, n).
        second: of other trainings in the same cases, (S, n).
        patients: the patient of each case, (n,).
        same_trainings: whether both are of the same trainings, as with and without a calibrator. If not, the variances
            between the trainings of both add up.
    """
    if same_trainings:
        return _estimate(first - second, patients, [first - second])
    paired = mean_over_trainings(first) - mean_over_trainings(second)
    known = ~np.isnan(paired)
    return _estimate(paired[None], patients, [first[:, known], second[:, known]])


def _estimate(values: Floats, patients: Sequence[Hashable], trainings: Sequence[Floats]) -> Estimate:
    """The mean of `values` with the variance over patients, and that between the trainings of each array."""
    of_cases = mean_over_trainings(values)
    known = ~np.isnan(of_cases)
    count = int(known.sum())
    if not count:
        return Estimate(nan, nan, nan, nan, 0)
    mean = float(of_cases[known].mean())
    parts = [variance_of_mean(of_cases[known], [one for one, has in zip(patients, known, strict=True) if has])]
    clusters = parts[0][1]
    for array in trainings:
        of_trainings = [float(np.nanmean(row)) for row in array if not np.isnan(row).all()]
        if len(of_trainings) > 1:
            parts.append((float(np.var(of_trainings, ddof=1)) / len(of_trainings), len(of_trainings)))
    deviation = float(of_cases[known].std(ddof=1)) if count > 1 else nan
    variance = sum(part for part, _ in parts)
    if not np.isfinite(variance):
        return Estimate(mean, nan, nan, deviation, clusters)
    spread = sum(part**2 / (number - 1) for part, number in parts)
    return Estimate(mean, sqrt(variance), variance**2 / spread if spread else nan, deviation, clusters)


def mean_over_trainings(values: Floats) -> Floats:
    """The mean over trainings of each case, (n,); NaN where none has a value."""
    return nanmean(values, axis=0)
