"""Budgets: together no more than there is, and all come through."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from calib_monai.budgets import Budget


def test_together_threads_hold_no_more_than_there_is() -> None:
    budget, held, most = Budget(10), list[int](), list[int]()

    def work(amount: int) -> int:
        with budget.share(amount):
            held.append(amount)
            most.append(sum(min(each, 10) for each in held))
            time.sleep(0.002)
            held.remove(amount)
        return amount

    amounts = [3, 4, 9, 1, 1, 25, 2, 0, 6, 10, 1, 4]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, amounts)) == amounts
    assert max(most) <= 10
    assert budget.taken == 0


def test_what_was_held_is_given_back_after_an_error() -> None:
    budget = Budget(5)
    with pytest.raises(ValueError, match="inside"), budget.share(5):
        raise ValueError("inside")
    assert budget.taken == 0
