"""Memory: how much of it may hold what is kept only to save time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from torch.utils.data import get_worker_info

PROC, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
SHARE = 0.25  # of what is available, for all processes of a run together
# Of a control group, by version: the folder of their tree, its limit, what it uses, and which cached files are in it.
VERSIONS = {
    2: ("", "memory.max", "memory.current", "inactive_file"),
    1: ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def fits(size: int, held: int) -> bool:
    """Whether this process may keep so many bytes beside those that it holds.

    All processes that torchrun started here, or all workers of a loader, together keep at most a quarter of the memory
    that would be available without what they hold.
    """
    worker = get_worker_info()
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) * (worker.num_workers if worker else 1)
    return held + size <= SHARE * (available() + held) / processes


def available() -> int:
    """Bytes of memory that this process can have without pushing others out; 0 where the system does not say it.

    The limits of its control groups, as containers, Slurm and systemd set them, and of its addresses (`ulimit -v`)
    count, too.
    """
    try:
        [free] = _values(PROC / "meminfo", "MemAvailable:")
        return max(0, min([1024 * free, *_left_by_groups(), *_left_of_addresses()]))
    except (OSError, ValueError):
        return 0


def _left_by_groups() -> Iterator[int]:
    """What each limit on this process's control group, or on one above it, leaves; cached files count as free."""
    for line in _lines(PROC / "self" / "cgroup"):
        number, controllers, path = line.split(":", 2)
        if number != "0" and "memory" not in controllers.split(","):
            continue
        tree, limit, used, cached = VERSIONS[2 if number == "0" else 1]
        root = GROUPS / tree
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):  # in a container, some of them are not to be seen
            if folder.is_relative_to(root) and (folder / limit).is_file():
                [most], [now] = _lines(folder / limit), _lines(folder / used)
                if most != "max":
                    yield int(most) - int(now) + sum(_values(folder / "memory.stat", f"{cached} "))


def _left_of_addresses() -> Iterator[int]:
    """What the limit on this process's addresses leaves, if there is one."""
    for most in _values(PROC / "self" / "limits", "Max address space"):
        [used] = _values(PROC / "self" / "status", "VmSize:")
        yield most - 1024 * used


def _values(file: Path, name: str) -> list[int]:
    """The number after a name at the start of a line of a file; none where it is "unlimited"."""
    values = [line.removeprefix(name).split()[0] for line in _lines(file) if line.startswith(name)]
    return [int(value) for value in values if value != "unlimited"]


def _lines(file: Path) -> list[str]:
    """The lines of a file; none where there is no such file."""
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
