"""Memory: how much of it may hold what is kept only to save time."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

from torch.utils.data import get_worker_info

MOST = 2**30  # bytes, for all processes of a run on this machine together


def fits(size: int, held: int) -> bool:
    """Whether this process may keep so many bytes beside those that it holds.

    All processes that torchrun started here, or all workers of a loader, together keep at most `MOST`.
    """
    worker = get_worker_info()
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) * (worker.num_workers if worker else 1)
    return held + size <= MOST / processes


def give_back() -> None:
    """Give memory that is free back to the system, where it is glibc that keeps it for later."""
    with suppress(OSError, AttributeError):  # of another system
        ctypes.CDLL(None).malloc_trim(0)
