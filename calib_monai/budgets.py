"""Budgets: an amount that threads share, so that together they never hold more of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock


class Budget:
    """An amount of which each thread takes a share while it works; whoever comes first is served first.

    Args:
        whole: the amount. Who needs more than that works alone.
    """

    def __init__(self, whole: int) -> None:
        self.whole = whole
        self.taken = 0
        self._first = Lock()
        self._changed = Condition()

    @contextmanager
    def share(self, amount: int) -> Iterator[None]:
        """Wait until there is so much, or all of it, and hold it inside."""
        held = min(amount, self.whole)
        with self._first, self._changed:
            self._changed.wait_for(lambda: self.taken + held <= self.whole)
            self.taken += held
        try:
            yield
        finally:
            with self._changed:
                self.taken -= held
                self._changed.notify_all()
