"""Risk and coverage: how well a confidence tells the cases in which a network failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf, isnan, nan

import numpy as np
from numpy.typing import NDArray

from calib_monai.intervals import FEWEST, LEVEL, NONE_KNOWN, patients_of, places_of_patients

DRAWS = 2000  # of the patients, with replacement
AT_ONCE = 2**20  # drawn cases that are held together

BEST, BY_CHANCE = "best", "by_chance"  # orders of cases, beside those by a confidence

Values = NDArray[np.float64]


def area_under_risk_coverage(confidence: Sequence[float], risk: Sequence[float]) -> float:
    """Mean over n of the mean risk of the n cases of highest confidence (Geifman and El-Yaniv 2017, arXiv:1705.08500).

    Cases of one confidence count with their mean risk: this is the mean over all orders that they can have. A NaN is
    the lowest confidence.

    Args:
        confidence: of each case.
        risk: of each case.

    Raises:
        ValueError: no case, or not as many risks as confidences.

    Examples:
        >>> area_under_risk_coverage([0.9, 0.8, 0.1], [0.0, 0.3, 0.6])
        0.15
    """
    if not 0 < len(confidence) == len(risk):
        raise ValueError(
            f"confidence has {len(confidence)} cases and risk {len(risk)}; both must have the same, at least 1"
        )
    [area] = _areas(_places(confidence)[None], np.asarray([risk], dtype=np.float64))
    return round(float(area), 12)


def areas(risk: Mapping[str, float], confidences: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The area under the risk-coverage curve by each confidence, in the best order, and by chance.

    Args:
        risk: of each case; cases with NaN are left out.
        confidences: by name a confidence of each case. One without any case has the area NaN.
    """
    known = {case: value for case, value in risk.items() if not isnan(value)}
    if not known:
        return dict.fromkeys([*confidences, BEST, BY_CHANCE], nan)
    orders = {**confidences, BEST: {case: -value for case, value in known.items()}}
    found = {
        name: area_under_risk_coverage([order.get(case, nan) for case in known], list(known.values())) if order else nan
        for name, order in orders.items()
    }
    return {**found, BY_CHANCE: float(np.mean(list(known.values())))}


def surely_lower(
    risk: Mapping[str, float],
    first: Mapping[str, float],
    second: Mapping[str, float],
    patients: Mapping[str, str] = NONE_KNOWN,
) -> bool:
    """Whether a confidence surely has a lower area than another, over cases like these: of at least `FEWEST` patients.

    The patients are drawn 2000 times with replacement, each with all its cases. The whole interval of the difference,
    from its 2.5 % to its 97.5 % quantile, must lie below 0. (Of two equally good confidences one is surely lower in
    about 3 of 100 simulations with 10 to 100 patients of one case.)

    Args:
        risk: of each case; cases with NaN are left out.
        first: a confidence of each case.
        second: another one.
        patients: the patient of each case; a case without one is its own.
    """
    cases = [case for case, value in risk.items() if not isnan(value)]
    of_patients = [np.asarray(places) for places in places_of_patients(patients_of(cases, patients))]
    if len(of_patients) < FEWEST:
        return False
    risks = np.asarray([risk[case] for case in cases], dtype=np.float64)
    one, other = (_places([order.get(case, nan) for case in cases]) for order in (first, second))
    drawn = np.random.default_rng(0).integers(len(of_patients), size=(DRAWS, len(of_patients)))
    differences = [
        _areas(one[rows], risks[rows]) - _areas(other[rows], risks[rows]) for rows in _cases_of(drawn, of_patients)
    ]
    return bool(np.quantile(np.concatenate(differences), (1 + LEVEL) / 2) < 0)


def _cases_of(drawn: NDArray[np.intp], of_patients: Sequence[NDArray[np.intp]]) -> Iterator[NDArray[np.intp]]:
    """The cases of drawn patients, (draws, cases), in parts whose rows have equally many cases.

    Args:
        drawn: numbers of patients, (draws, patients).
        of_patients: the cases of each patient.
    """
    counts = np.asarray([len(cases) for cases in of_patients])[drawn].sum(axis=1)
    for count in np.unique(counts):
        draws = drawn[counts == count]
        for part in np.array_split(draws, -(-len(draws) * count // AT_ONCE)):
            yield np.stack([np.concatenate([of_patients[patient] for patient in draw]) for draw in part])


def _places(confidence: Sequence[float]) -> NDArray[np.intp]:
    """The place of each case from 0, the highest confidence first; equal ones share a place, and NaN is the last."""
    known = np.nan_to_num(np.asarray(confidence, dtype=np.float64), nan=-inf, posinf=inf, neginf=-inf)
    return np.unique(-known, return_inverse=True)[1]


def _areas(places: NDArray[np.intp], risk: Values) -> Values:
    """The area of each row, from the places of its cases, which may leave some out, and their risk."""
    places = places + (places.max() + 1) * np.arange(len(places))[:, None]  # each row has its own
    count, total = np.bincount(places.ravel()), np.bincount(places.ravel(), risk.ravel())
    ordered = (total / np.maximum(count, 1))[np.sort(places)]
    return np.asarray((ordered.cumsum(axis=1) / np.arange(1, places.shape[1] + 1)).mean(axis=1))
