"""Intervals: those of SciPy, and differences case by case with their direction."""

from __future__ import annotations

from math import inf, isnan, nan

import numpy as np
import pytest
import torch
from scipy import stats

from calib_monai.intervals import mean_interval, nanmean, surely_more, variance_of_mean


def test_the_interval_of_a_mean_is_that_of_the_t_test() -> None:
    values = np.random.default_rng(0).exponential(size=12)
    found = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert mean_interval([*values, nan], 0.9) == pytest.approx((found.low, found.high))
    assert mean_interval([0.5, 0.5]) == (0.5, 0.5)
    assert all(map(isnan, mean_interval([0.5, nan])))
    assert all(map(isnan, mean_interval([0.5, inf, 0.7])))


def test_a_mean_leaves_out_what_is_not_known_and_warns_of_nothing() -> None:
    values = np.array([[1.0, nan, 5.0], [nan, nan, nan], [inf, -inf, nan]])
    assert nanmean(values, axis=1).tolist() == pytest.approx([3.0, nan, nan], nan_ok=True)
    assert nanmean(values[:2], axis=0).tolist() == pytest.approx([1.0, nan, 5.0], nan_ok=True)


def test_a_difference_is_that_of_the_same_cases_and_has_a_direction() -> None:
    of_cases = {"a": 0.1, "b": 0.5, "c": 0.9, "f": 0.2, "g": 0.3, "h": 0.4}
    more = {case: value + 0.01 + value / 1000 for case, value in of_cases.items()}
    assert surely_more(more, of_cases)
    assert not surely_more(of_cases, more)
    assert surely_more({**more, "d": -9.0, "e": nan}, {**of_cases, "e": 9.0})
    assert not surely_more({**more, "h": nan}, of_cases)  # of five cases, which agree in 1 of 16 draws by chance
    assert not surely_more(of_cases, {"a": 0.2, "b": 0.4, "c": 1.0})
    assert not surely_more(of_cases, {})
    assert not surely_more(of_cases, {"a": -0.7, "d": 0.0})


def test_cases_of_a_patient_are_one_cluster() -> None:
    values = np.random.default_rng(1).normal(size=12)
    patients = [f"patient {number // 2}" for number in range(12)]
    of_patients = values.reshape(6, 2).mean(axis=1)
    assert mean_interval(values, patients=patients) == pytest.approx(mean_interval(of_patients))
    assert variance_of_mean(values, patients) == (pytest.approx(of_patients.var(ddof=1) / 6), 6)
    assert all(map(isnan, mean_interval(values[:2], patients=["a", "a"])))
    one, other = (dict(zip("abcdefgh", given, strict=True)) for given in (values[:8], values[:8] - 1))
    assert surely_more(one, other)
    assert not surely_more(one, other, patients=dict(zip("abcdefgh", "aabbccdd", strict=True)))  # four patients


def test_patients_may_be_tensors_of_numbers() -> None:
    values, numbers = [1.0, 2.0, 3.0, 3.5], torch.tensor([0, 0, 1, 1])
    assert mean_interval(values, patients=[*numbers]) == mean_interval(values, patients=numbers.tolist())
    assert mean_interval(values, patients=numbers.numpy()) == mean_interval(values, patients=numbers.tolist())  # type: ignore[arg-type]
