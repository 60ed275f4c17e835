"""Budgets: a limit on what several threads hold together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock


class Budget:
    """An amount from which each thread takes a share while it works; threads are served in order.

    Args:
        whole: the amount. A thread that needs more works alone.
    """

    def __init__(self, whole: int) -> None:
        self.whole = whole
        self.taken = 0
        self._first = Lock()
        self._changed = Condition()

    @contextmanager
    def share(self, amount: int) -> Iterator[None]:
        """Wait until the share is free (at most the whole amount), and hold it in the `with` block."""
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
