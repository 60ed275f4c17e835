"""Ranks and tests: the papers' own ranks, SciPy's and textbooks' numbers, the laws."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from calib_monai.ranks import (
    friedman,
    holm,
    mean_case_rank,
    method_ranks,
    sum_rank,
)

# CRaC (Murugesan et al. 2024), Table 1: Dice, HD95, ECE, TACE on ACDC, then on FLARE, and the printed Friedman rank.
CRAC = {
    "focal": ([0.620, 7.30, 0.153, 0.224, 0.834, 6.65, 0.053, 0.145], 7.88),
    "ecp": ([0.782, 4.44, 0.130, 0.151, 0.860, 5.30, 0.037, 0.134], 5.38),
    "ls": ([0.809, 3.30, 0.083, 0.093, 0.860, 5.33, 0.055, 0.050], 4.88),
    "svls": ([0.824, 2.81, 0.091, 0.138, 0.857, 5.72, 0.039, 0.144], 5.25),
    "mbls": ([0.827, 2.99, 0.103, 0.081, 0.836, 5.75, 0.046, 0.041], 5.25),
    "nacl": ([0.854, 2.93, 0.068, 0.073, 0.868, 5.12, 0.033, 0.031], 2.25),
    "bwcr": ([0.841, 2.69, 0.051, 0.075, 0.848, 5.39, 0.029, 0.059], 3.13),
    "crac": ([0.877, 1.72, 0.057, 0.058, 0.876, 5.52, 0.029, 0.033], 1.75),
}
PUBLISHED = Path(__file__).parents[2] / "shared" / "reference" / "published.json"


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the papers' tables are not there")
def test_the_table_here_is_the_published_one() -> None:
    table = json.loads(PUBLISHED.read_text())["crac_miccai"]
    for method, (values, rank) in CRAC.items():
        assert values == table["acdc"][method] + table["flare"][method]
        assert rank == table["friedman_rank"][method]


def test_the_ranks_that_crac_printed_come_out_of_its_table() -> None:
    values = np.array([values for values, _ in CRAC.values()])
    ranks = np.stack([method_ranks(values[:, k], lower_is_better=k % 4 != 0, ties="min") for k in range(8)], axis=1)
    for mean, (_, printed) in zip(ranks.mean(axis=1), CRAC.values(), strict=True):
        assert mean == pytest.approx(printed, abs=0.0051)


def test_friedmans_test_is_scipys() -> None:
    values = np.random.default_rng(0).normal(size=(4, 12)).round(1)  # with ties
    found = friedman(values, lower_is_better=True)
    expected = stats.friedmanchisquare(*values)
    assert (found.statistic, found.p_value) == (expected.statistic, expected.pvalue)
    assert found.mean_ranks == pytest.approx(stats.rankdata(values, axis=0).mean(axis=1))


def test_nemenyis_test_is_that_of_demsars_example() -> None:
    # Demsar 2006, section 3.2.3: 4 classifiers, 14 data sets: ranks differ significantly at 0.05 from 1.25 on.
    apart = 2.569 * math.sqrt(4 * 5 / (6 * 14))
    assert apart == pytest.approx(1.25, abs=0.005)
    assert stats.studentized_range.sf(2.569 * math.sqrt(2), 4, np.inf) == pytest.approx(0.05, abs=1e-4)
    rng = np.random.default_rng(1)
    values = rng.normal(size=(4, 14)) + np.array([[0], [0.5], [1], [3]])
    found = friedman(values, lower_is_better=True)
    far = np.abs(found.mean_ranks[:, None] - found.mean_ranks) > apart
    assert np.array_equal(found.posthoc < 0.05, far)
    assert far.any()
    assert np.allclose(np.diag(found.posthoc), 1)


def test_holms_correction_is_stepwise() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # Holm 1979, by hand
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    with_missing = holm([0.01, np.nan, 0.04])
    assert with_missing[[0, 2]] == pytest.approx([0.02, 0.04])
    assert np.isnan(with_missing[1])


def test_sum_rank_ranks_means_and_mean_case_rank_ranks_cases() -> None:
    # In measure 0 (more is better) the first method wins two cases of three and loses the mean.
    dice = [[0.9, 0.9, 0.1], [0.8, 0.8, 0.8]]
    ece = [[0.1, 0.1, 0.1], [0.2, 0.2, 0.2]]
    values = np.stack([dice, ece], axis=-1)
    assert sum_rank(values, [False, True]) == pytest.approx([(2 + 1) / 2, (1 + 2) / 2])
    assert mean_case_rank(values, [False, True]) == pytest.approx([(4 / 3 + 1) / 2, (5 / 3 + 2) / 2])


def test_what_is_missing_does_not_count_in_means_and_its_case_not_in_ranks() -> None:
    values = np.array([[[1.0], [np.nan]], [[2.0], [0.0]], [[3.0], [9.0]]])
    assert mean_case_rank(values, [True]) == pytest.approx([1.0, 2.0, 3.0])
    never = np.full((3, 2, 1), np.nan)
    assert mean_case_rank(np.concatenate([values, never], axis=-1), [True, True]) == pytest.approx([1.0, 2.0, 3.0])
    assert np.isnan(mean_case_rank(never, [True])).all()
    assert sum_rank(values, [True])[0] == 1.5  # 1.0 as the second one's mean
    blocks = np.array([[1.0, 2, np.nan], [2.0, 3, 1], [3.0, 4, 2]])
    assert friedman(blocks, lower_is_better=True).mean_ranks == pytest.approx([1, 2, 3])


def test_turning_the_direction_turns_the_ranks() -> None:
    values = np.random.default_rng(2).normal(size=(5, 7))
    low, high = (method_ranks(values, lower_is_better=lower) for lower in (True, False))
    assert np.array_equal(low, 6 - high)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: method_ranks([1.0], lower_is_better=True), "at least 2"),
        (lambda: method_ranks([1.0, 2.0], lower_is_better=True, ties="max"), "ties is 'max'"),
        (lambda: sum_rank(np.ones((2, 3, 2)), [True]), "1 directions"),
        (lambda: friedman(np.ones((2, 9)), lower_is_better=True), "at least 3 methods"),
        (lambda: friedman(np.full((3, 9), np.nan), lower_is_better=True), "2 blocks"),
    ],
)
def test_what_cannot_be_ranked_is_refused(call: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()  # type: ignore[operator]
