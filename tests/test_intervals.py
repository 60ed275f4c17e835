"""Intervals: those of SciPy, and differences case by case."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from scipy import stats

from calib_monai.intervals import difference_is_sure, mean_interval


def test_the_interval_of_a_mean_is_that_of_the_t_test() -> None:
    values = np.random.default_rng(0).exponential(size=12)
    found = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert mean_interval([*values, nan], 0.9) == pytest.approx((found.low, found.high))
    assert mean_interval([0.5, 0.5]) == (0.5, 0.5)
    assert all(map(isnan, mean_interval([0.5, nan])))


def test_a_difference_is_that_of_the_same_cases() -> None:
    of_cases = {"a": 0.1, "b": 0.5, "c": 0.9}
    assert difference_is_sure(of_cases, {case: value + 0.01 + value / 1000 for case, value in of_cases.items()})
    assert not difference_is_sure(of_cases, {"a": 0.2, "b": 0.4, "c": 1.0})
    assert not difference_is_sure(of_cases, {})
    assert not difference_is_sure(of_cases, {"a": 0.7, "d": 0.0})
