"""Splits: published sizes or their proportions, by the seed alone."""

from __future__ import annotations

import pytest

from calib_monai.datalists.splits import SPLITS, split_cases

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


def test_two_cases_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="2 case"):
        split_cases(named(2), COUNTS)
