"""Risk and coverage: the area under the curve, and which confidence surely has the lower one."""

from __future__ import annotations

from itertools import pairwise, permutations
from math import isnan, nan

import numpy as np
import pytest

from calib_monai.risk_coverage import area_under_risk_coverage, areas, surely_lower


def slow_area(ordered: list[float]) -> float:
    """The area of cases in this order, the surest first."""
    return sum(sum(ordered[:n]) / n for n in range(1, len(ordered) + 1)) / len(ordered)


def test_the_area_is_that_of_a_slow_sum_and_lies_between_best_and_worst_order() -> None:
    risk, sure = np.random.default_rng(0).random((2, 20)).tolist()
    area = area_under_risk_coverage(sure, risk)
    assert area == pytest.approx(slow_area([of_case for _, of_case in sorted(zip(sure, risk, strict=True))[::-1]]))
    best, worst = (area_under_risk_coverage([sign * value for value in risk], risk) for sign in (-1, 1))
    assert best < area < worst
    assert area_under_risk_coverage([0.5] * 20, risk) == pytest.approx(sum(risk) / 20)
    assert area_under_risk_coverage([nan, 1.0], [1.0, 0.0]) == 0.25  # what is not known is least sure


def test_a_curve_needs_a_risk_of_each_case() -> None:
    for confidence, risk in (([], []), ([0.9, 0.8], [0.0])):
        with pytest.raises(
            ValueError, match=r"confidence has \d cases and risk \d; both must have the same, at least 1"
        ):
            area_under_risk_coverage(confidence, risk)


@pytest.mark.parametrize("sure", [[1, 1, 0, 0, 1], [2, 1, 1, 1, 0], [0, nan, nan, 1, 1]])
def test_cases_of_one_confidence_count_as_in_the_mean_over_all_their_orders(sure: list[float]) -> None:
    risk = [0.1, 0.7, 0.2, 0.9, 0.4]
    known = [-1 if isnan(value) else value for value in sure]
    allowed = [
        slow_area([risk[case] for case in order])
        for order in permutations(range(5))
        if all(known[one] >= known[other] for one, other in pairwise(order))
    ]
    assert area_under_risk_coverage(sure, risk) == pytest.approx(np.mean(allowed))


def test_the_areas_leave_out_cases_without_a_risk() -> None:
    risk = {"a": 0.0, "b": nan, "c": 0.6, "d": 0.3}
    found = areas(risk, {"right": {"a": 3, "c": 1, "d": 2, "b": 9}, "wrong": {"a": 1, "c": 3, "d": 2}, "none": {}})
    assert found["right"] == found["best"] == pytest.approx((0 + 0.15 + 0.3) / 3)
    assert found["wrong"] == pytest.approx((0.6 + 0.45 + 0.3) / 3)
    assert found["by_chance"] == pytest.approx(0.3)
    assert isnan(found["none"])
    assert all(map(isnan, areas({"a": nan}, {"right": {"a": 1}}).values()))


def test_a_confidence_is_surely_better_only_where_cases_can_show_it() -> None:
    draws = np.random.default_rng(0)
    risk = {str(case): value for case, value in enumerate(draws.random(30))}
    good, bad = {case: -value for case, value in risk.items()}, {case: draws.random() for case in risk}
    assert surely_lower(risk, good, bad)
    assert not surely_lower(risk, bad, good)
    assert not surely_lower(risk, good, good)
    five = {case: str(int(case) % 5) for case in risk}
    assert not surely_lower(risk, good, bad, five)  # of five patients
    few = dict(list(risk.items())[:5])
    assert not surely_lower(few, good, bad)


def test_of_equally_good_confidences_one_is_seldom_surely_better() -> None:
    draws = np.random.default_rng(1)
    found = 0
    for _ in range(40):
        depth = draws.normal(size=12)
        one, other = (dict(enumerate(-depth + draws.normal(size=12))) for _ in range(2))
        risk = dict(enumerate(1 / (1 + np.exp(2 - depth))))
        found += surely_lower(*({str(case): value for case, value in of.items()} for of in (risk, one, other)))
    assert found <= 4  # with 1 in 40 that of chance, more are seen in 1 of 100 such tests


def test_the_cases_of_a_patient_are_drawn_together() -> None:
    """Of two confidences that are equally good, one is rarely lower: 20 patients with four cases that are the same."""
    draws, found = np.random.default_rng(3), [0, 0]
    for _ in range(60):
        values = draws.random((3, 20)).repeat(4, axis=1)
        risk, first, second = ({str(case): value for case, value in enumerate(row)} for row in values)
        patients = {case: str(int(case) // 4) for case in risk}
        found[0] += surely_lower(risk, first, second, patients)
        found[1] += surely_lower(risk, first, second)
    assert found[0] <= 6
    assert found[1] > 9
