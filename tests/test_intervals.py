"""Intervals: those of SciPy, and as often right as they say."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from scipy import stats

from calib_monai.intervals import difference_is_sure, mean_interval, parts_of_ratio


def test_the_interval_of_a_mean_is_that_of_the_t_test() -> None:
    values = np.random.default_rng(0).exponential(size=12)
    found = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert mean_interval([*values, nan], 0.9) == pytest.approx((found.low, found.high))
    assert mean_interval([0.5, 0.5]) == (0.5, 0.5)
    assert all(map(isnan, mean_interval([0.5, nan])))


def test_the_interval_of_a_ratio_holds_it_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    held = []
    for _ in range(1000):
        weights = generator.integers(50, 500, size=30)
        low, high = mean_interval(parts_of_ratio(weights * generator.normal(0.3, 0.1, size=30), weights.tolist()))
        held.append(low <= 0.3 <= high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.025)
    assert np.mean(parts_of_ratio([1, 2, 6], [10, 10, 40])) == pytest.approx(9 / 60)


def test_a_difference_is_that_of_the_same_cases() -> None:
    of_cases = {"a": 0.1, "b": 0.5, "c": 0.9}
    assert difference_is_sure(of_cases, {case: value + 0.01 + value / 1000 for case, value in of_cases.items()})
    assert not difference_is_sure(of_cases, {"a": 0.2, "b": 0.4, "c": 1.0})
    assert not difference_is_sure(of_cases, {})
    assert not difference_is_sure(of_cases, {"a": 0.7, "d": 0.0})


def test_a_ratio_of_nothing_is_not_a_number() -> None:
    assert np.isnan(parts_of_ratio([0, 0], [0, 0])).all()
