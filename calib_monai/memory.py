"""Memory: how much of it there is, and how much may hold what is kept only to save time."""

from __future__ import annotations

import ctypes
import math
import os
from contextlib import suppress
from pathlib import Path

from torch.utils.data import get_worker_info

MOST = 2**30  # bytes, for all processes of a run on this machine together
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -2, -3, -4  # of glibc's malloc.h
KEEPING = {M_TRIM_THRESHOLD: -1, M_TOP_PAD: 2**28, M_MMAP_MAX: 0}  # never trim, grow by 256 MiB, no block by itself
FREEING = {M_TRIM_THRESHOLD: 2**26, M_TOP_PAD: 2**17, M_MMAP_THRESHOLD: 2**25, M_MMAP_MAX: 2**16}  # as glibc does
ROOMY = 16e9  # bytes of a machine that may keep what is free
OF_CONTAINERS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # files with a limit


def memory_here() -> float:
    """The bytes of memory that this process may use: those of the machine, or the limit of a container or a user."""
    limits = [math.inf]
    if hasattr(os, "sysconf"):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in OF_CONTAINERS:
        with suppress(OSError, ValueError):  # there is none, or it is "max"
            limits.append(int(Path(path).read_text(encoding="ascii")))
    with suppress(ImportError):  # of another system
        import resource  # noqa: PLC0415

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        limits += [soft] if soft != resource.RLIM_INFINITY else []
    return min(limits)


def fits(size: int, held: int) -> bool:
    """Whether this process may keep so many bytes beside those that it holds.

    All processes that torchrun started here, or all workers of a loader, together keep at most `MOST`.
    """
    worker = get_worker_info()
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) * (worker.num_workers if worker else 1)
    return held + size <= MOST / processes


class _Allocator:
    """The allocator of this process, where it is glibc's.

    Attributes:
        keeps: whether it keeps what is freed.
    """

    keeps = False

    def set(self, options: dict[int, int]) -> None:
        """Set options of it, `KEEPING` or `FREEING`."""
        self.keeps = options is KEEPING
        with suppress(OSError, AttributeError):  # of another system
            library = ctypes.CDLL(None)
            for option, value in options.items():
                library.mallopt(option, value)


_allocator = _Allocator()


def keep_freed() -> None:
    """Let this process keep the memory that it frees, if the machine is roomy and glibc would give it back.

    On the CPU each step of a training frees large blocks and takes them again, and the system clears every page that it
    hands out: a quarter of the time of a training. Kept memory has holes: the peak may be higher by a third.
    """
    if not _allocator.keeps and memory_here() >= ROOMY:
        _allocator.set(KEEPING)


def free_at_once() -> None:
    """Let this process give memory back as soon as it is free, after `keep_freed`; else nothing changes."""
    if _allocator.keeps:
        _allocator.set(FREEING)
        give_back()


def give_back() -> None:
    """Give memory that is free back to the system, where it is glibc that keeps it for later."""
    with suppress(OSError, AttributeError):  # of another system
        ctypes.CDLL(None).malloc_trim(0)
