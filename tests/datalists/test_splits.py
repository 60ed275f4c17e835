"""Splits: published sizes or their proportions, by the seed alone."""

from __future__ import annotations

from itertools import pairwise

import pytest

from calib_monai.datalists.splits import SPLITS, fewer_cases, split_cases

COUNTS = (185, 25, 50)


def named(count: int) -> list[dict[str, str]]:
    return [{"case": f"case_{i:03d}"} for i in range(count)]


@pytest.mark.parametrize(("num_cases", "sizes"), [(260, COUNTS), (26, (19, 2, 5)), (8, (5, 1, 2)), (3, (1, 1, 1))])
def test_the_published_sizes_or_their_proportions(num_cases: int, sizes: tuple[int, int, int]) -> None:
    split = split_cases(named(num_cases), COUNTS)
    assert tuple(len(split[name]) for name in SPLITS) == sizes


def test_every_case_is_in_one_set() -> None:
    split = split_cases(named(50), COUNTS)
    assert sorted(case["case"] for cases in split.values() for case in cases) == [c["case"] for c in named(50)]


def test_the_split_follows_from_the_seed_not_from_the_order_of_files() -> None:
    assert split_cases(named(50), COUNTS, 1) == split_cases(named(50)[::-1], COUNTS, 1)
    assert split_cases(named(50), COUNTS, 1) != split_cases(named(50), COUNTS, 2)


@pytest.mark.parametrize(("num_cases", "tested"), [(50, [10] * 5), (47, [9] * 5 + [2]), (48, [10] * 4 + [8])])
def test_folds_test_every_case_once(num_cases: int, tested: list[int]) -> None:
    folds = [split_cases(named(num_cases), (7, 1, 2), 4, fold) for fold in range(len(tested))]
    assert [len(split["test"]) for split in folds] == tested
    assert {len(split["validation"]) for split in folds} == {5}
    for split in folds:
        assert sorted(c["case"] for cases in split.values() for c in cases) == [c["case"] for c in named(num_cases)]
    assert sorted(c["case"] for split in folds for c in split["test"]) == [c["case"] for c in named(num_cases)]


def test_no_fold_is_fold_0() -> None:
    assert split_cases(named(50), (7, 1, 2), 4, 0) == split_cases(named(50), (7, 1, 2), 4)


@pytest.mark.parametrize("fold", [7, 12])
def test_a_fold_that_would_test_again_is_refused(fold: int) -> None:
    assert [len(cases) for cases in split_cases(named(7), (5, 1, 1), fold=6).values()] == [5, 1, 1]
    with pytest.raises(ValueError, match=rf"fold is {fold}; 7 cases or .* 1 in each test set, make 7 folds: 0 to 6"):
        split_cases(named(7), (5, 1, 1), fold=fold)


def test_a_seed_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="seed is 'seven'; it must be a whole number"):
        split_cases(named(7), COUNTS, "seven")  # type: ignore[arg-type]


def test_two_cases_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="2 case"):
        split_cases(named(2), COUNTS)


def test_a_larger_share_of_the_patients_holds_the_smaller() -> None:
    shares = [{case["case"] for case in fewer_cases(named(50), fraction, 3)} for fraction in (0.001, 0.1, 0.25, 1)]
    assert [len(share) for share in shares] == [1, 5, 12, 50]
    assert all(less <= more for less, more in pairwise(shares))
    assert {case["case"] for case in fewer_cases(named(50), 0.25, 4)} != shares[2]


def test_a_share_keeps_all_cases_of_a_patient() -> None:
    cases = [{"case": f"{patient}{phase}", "patient": patient} for patient in "abcd" for phase in (1, 2)]
    kept = fewer_cases(cases, 0.5)
    assert len(kept) == 4
    assert len({case["patient"] for case in kept}) == 2


@pytest.mark.parametrize("fraction", [0, -0.5, 1.5, "half", float("nan")])
def test_a_share_that_is_none_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"train_fraction is .*; it must be a number above 0 and at most 1"):
        fewer_cases(named(7), fraction)
