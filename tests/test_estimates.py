"""Estimates: those of SciPy where there is one training, and honest where there are several, or patients."""

from __future__ import annotations

from math import isnan, nan

import numpy as np
import pytest
from scipy import stats

from calib_monai.estimates import difference, estimate

CASES = [f"case_{number}" for number in range(12)]


def test_one_training_and_patients_of_one_case_give_the_t_test() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 1, 12))
    found = difference(first, second, CASES, same_trainings=False)
    expected = stats.ttest_rel(first[0], second[0])
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.interval() == pytest.approx(tuple(expected.confidence_interval()))
    assert found.effect == pytest.approx(expected.statistic / np.sqrt(12))
    one = stats.ttest_1samp(first[0], 0)
    assert estimate(first, CASES).p_value == pytest.approx(one.pvalue)


def test_patients_with_equally_many_cases_count_as_their_means_do() -> None:
    values = np.random.default_rng(1).normal(size=(1, 12))
    found = estimate(values, [number // 2 for number in range(12)])
    expected = stats.ttest_1samp(values.reshape(6, 2).mean(axis=1), 0)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.patients == 6


def test_trainings_add_their_variance() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(2, 3, 12))
    apart = difference(first, second, CASES, same_trainings=False)
    paired = (first - second).mean(axis=0)
    between = [values.mean(axis=1).var(ddof=1) / 3 for values in (first, second)]
    assert apart.error**2 == pytest.approx(paired.var(ddof=1) / 12 + sum(between))
    parts = [paired.var(ddof=1) / 12, *between]
    assert apart.freedom == pytest.approx(sum(parts) ** 2 / (parts[0] ** 2 / 11 + sum(p**2 / 2 for p in parts[1:])))
    same = difference(first, second, CASES, same_trainings=True)
    assert same.error**2 == pytest.approx(parts[0] + (first - second).mean(axis=1).var(ddof=1) / 3)


@pytest.mark.parametrize("between", [0.0, 0.5, 1.0])
def test_methods_that_are_equally_good_are_seldom_told_apart(between: float) -> None:
    """Three trainings, 20 patients of two cases that err together: p is below .05 in at most 5 of 100 draws."""
    rng, draws = np.random.default_rng(3), 400
    patients = [number // 2 for number in range(40)]
    told = 0
    for _ in range(draws):
        of_patients = np.repeat(rng.normal(size=(2, 1, 20)), 2, axis=2) / np.sqrt(2)
        noise = rng.normal(size=(2, 3, 40)) / np.sqrt(2)
        trainings = between * rng.normal(size=(2, 3, 1)) / np.sqrt(20)
        first, second = of_patients + noise + trainings
        told += difference(first, second, patients, same_trainings=False).p_value < 0.05
    assert told / draws < 0.05 + 2 * np.sqrt(0.05 * 0.95 / draws)


def test_missing_values_are_left_out_and_too_few_have_no_interval() -> None:
    values = np.array([[1.0, nan, 3.0], [2.0, nan, nan]])
    found = estimate(values, CASES[:3])
    assert found.value == 2.25
    assert found.patients == 2
    assert isnan(estimate(values[:, :2], CASES[:2]).error)
    assert isnan(estimate(values[:, 1:2], CASES[:1]).value)
    assert isnan(estimate(values[:, :1], CASES[:1]).p_value)


def test_equal_values_differ_by_nothing_and_are_equivalent() -> None:
    values = np.random.default_rng(4).normal(size=(2, 12))
    same = difference(values, values, CASES, same_trainings=True)
    assert (same.value, same.p_value, same.interval()) == (0, 1, (0, 0))
    assert same.is_within(0.01)
    assert difference(values, values - 1, CASES, same_trainings=True).p_value < 1e-9
    near = difference(values, values + 0.001 * np.random.default_rng(5).normal(size=12), CASES, same_trainings=True)
    assert near.is_within(0.01)
    assert not near.is_within(0.0001)
