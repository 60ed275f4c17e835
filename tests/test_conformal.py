"""Conformal prediction: ranks are exact, and coverage follows its beta-binomial law."""

from __future__ import annotations

from math import inf, sqrt
from typing import Any

import pytest
import torch
from scipy import stats

from calib_monai.arguments import check_share
from calib_monai.conformal import (
    conformal_quantile,
    coverage_range,
    fewest_cases,
    most_coverage,
)

DRAWS = 2000


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.88, 0.9, 0.95, 0.99, 2 / 3, 0.7])
def test_the_fewest_cases_are_those_whose_largest_score_is_enough(coverage: float) -> None:
    cases = fewest_cases(coverage)
    assert conformal_quantile(torch.arange(float(cases)), coverage) <= cases - 1
    assert conformal_quantile(torch.arange(float(cases - 1)), coverage) == inf
    assert most_coverage(cases) >= round(coverage - 0.005, 2)
    assert fewest_cases(most_coverage(cases)) <= cases


def test_nine_cases_are_needed_for_nine_of_ten() -> None:
    assert [fewest_cases(coverage) for coverage in (0.9, 0.95, 0.5)] == [9, 19, 1]
    assert conformal_quantile(torch.arange(8.0), 0.9) == inf
    assert conformal_quantile(torch.tensor([3.0, 1.0, 2.0]), 0.5) == 2
    patients = torch.tensor([7, 7, 7, 2])  # the first three cases weigh a third each
    assert [conformal_quantile(torch.arange(4.0), level, patients) for level in (0.1, 0.3, 0.5)] == [0, 2, 3]
    assert conformal_quantile(torch.arange(4.0), 0.7, patients) == inf


@pytest.mark.parametrize("cases", [19, 25, 40])
def test_coverage_has_its_beta_binomial_law(cases: int) -> None:
    generator = torch.Generator().manual_seed(cases)
    scores = torch.randn(DRAWS, cases + 50, generator=generator, dtype=torch.float64).exp()
    limits = [conformal_quantile(row, 0.9) for row in scores[:, :cases]]
    covered = (scores[:, cases:] <= torch.tensor(limits)[:, None]).sum(dim=1).numpy()
    rank = -(-9 * (cases + 1) // 10)
    law = stats.betabinom(50, rank, cases + 1 - rank)
    assert law.mean() / 50 >= 0.9
    assert abs(covered.mean() - law.mean()) < 4 * law.std() / sqrt(DRAWS)
    assert abs(covered.std() - law.std()) < 0.1 * law.std()
    assert max(abs((covered <= k).mean() - law.cdf(k)) for k in range(51)) < 1.95 / sqrt(DRAWS)  # Kolmogorov, 0.1 %
    low, high = coverage_range(cases, 50, 0.9)
    assert ((covered >= round(50 * low)) & (covered <= round(50 * high))).mean() > 0.93


@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, float("nan"), "0.9", True, None])
def test_what_is_no_level_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"coverage is .* it must be a number above 0 and below 1"):
        check_share("coverage", value)
