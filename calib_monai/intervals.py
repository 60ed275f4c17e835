"""Intervals for the mean over all cases of a kind, from the measured cases."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from math import isnan, nan, sqrt
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from calib_monai.arguments import plain_values

LEVEL = 0.95
NONE_KNOWN: Mapping[str, str] = MappingProxyType({})
FEW = 10  # patients, below which an interval is rough
FEWEST = 6  # patients, below which even differences of one sign in each are chance in more than 5 of 100 (sign test)


def nanmean(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """NumPy's `nanmean` without a warning: the mean of no known value is NaN."""
    known = ~np.isnan(values)
    counts = known.sum(axis=axis)
    with np.errstate(invalid="ignore"):  # infinite values of both signs have no mean
        means: NDArray[np.float64] = np.where(counts, np.nansum(values, axis=axis) / np.maximum(counts, 1), nan)
    return means


def mean_interval(
    values: Sequence[float], level: float = LEVEL, patients: Sequence[Hashable] = ()
) -> tuple[float, float]:
    """The interval of a mean over cases by Student's t; (NaN, NaN) for fewer than two patients or infinite values.

    Patients count as random and independent. Cases of a patient do not, nor do voxels of a case: they err together.

    Args:
        values: the value of each case; NaN is left out.
        level: the share of such intervals that hold the mean over all cases of this kind.
        patients: the patient of each case; without them each case is a patient.

    Examples:
        >>> [round(end, 3) for end in mean_interval([0.7, 0.8, 0.9])]
        [0.552, 1.048]
    """
    array = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(array)
    of_each = plain_values(patients) or range(len(array))
    of_patients = [patient for patient, one in zip(of_each, known, strict=True) if one]
    variance, count = variance_of_mean(array[known], of_patients)
    if not np.isfinite(variance):
        return nan, nan
    mean, half = float(array[known].mean()), float(stats.t.ppf((1 + level) / 2, count - 1)) * sqrt(variance)
    return mean - half, mean + half


def variance_of_mean(values: NDArray[np.float64], patients: Sequence[Hashable]) -> tuple[float, int]:
    """The variance of a mean over cases, and the number of patients; NaN if that is below 2.

    A patient's cases are one cluster: their deviations from the mean are added before they are squared. For patients
    with equally many cases, this is the variance of the mean of the patients' means.

    Args:
        values: of each case, (n,), without NaN.
        patients: the patient of each case, (n,).
    """
    places = {patient: place for place, patient in enumerate(dict.fromkeys(patients))}
    if len(places) < 2:  # noqa: PLR2004 - one has no deviation
        return nan, len(places)
    with np.errstate(invalid="ignore"):  # infinite values have no variance
        deviations = values - values.mean()
        totals = np.bincount([places[patient] for patient in patients], weights=deviations)
        variance = (totals**2).sum() / len(values) ** 2 * len(places) / (len(places) - 1)
    return float(variance), len(places)


def surely_more(
    first: Mapping[str, float],
    second: Mapping[str, float],
    level: float = LEVEL,
    patients: Mapping[str, str] = NONE_KNOWN,
) -> bool:
    """Whether the whole interval of first - second lies above 0, over the cases that have both, of `FEWEST` patients.

    Args:
        first: values by case.
        second: other values by case.
        level: as in `mean_interval`.
        patients: the patient of each case; a case without one is its own.
    """
    known = known_differences(first, second)
    of_patients = patients_of(known, patients)
    low, _ = mean_interval([*known.values()], level, of_patients)
    return low > 0 and len(set(of_patients)) >= FEWEST


def known_differences(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    """First - second of each case that has both; none of a case where it is NaN."""
    both = {case: value - second[case] for case, value in first.items() if case in second}
    return {case: value for case, value in both.items() if not isnan(value)}


def patients_of(cases: Iterable[str], patients: Mapping[str, str]) -> list[str]:
    """The patient of each case; a case without one is its own."""
    return [f"patient {patients[case]}" if case in patients else f"case {case}" for case in cases]


def places_of_patients(patients: Iterable[Hashable]) -> list[list[int]]:
    """The places of each patient's cases, from the patient of each case; patients in the order of their first cases."""
    places: dict[Hashable, list[int]] = {}
    for place, patient in enumerate(patients):
        places.setdefault(patient, []).append(place)
    return list(places.values())
