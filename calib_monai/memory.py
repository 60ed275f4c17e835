"""Memory: how much of it may hold what is kept only to save time."""

from __future__ import annotations

from pathlib import Path

MEMORY = Path("/proc/meminfo")
LIMIT, USED = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")  # of a container
SHARE = 0.25  # of what is available


def fits(size: int, held: int) -> bool:
    """Whether so many bytes may be kept beside those that are held.

    All together are at most a quarter of the memory that would be available without them.
    """
    return held + size <= SHARE * (available() + held)


def available() -> float:
    """Bytes of memory that this process can have without pushing others out; 0 where the system does not say it."""
    try:
        [line] = [line for line in MEMORY.read_text(encoding="ascii").splitlines() if line.startswith("MemAvailable:")]
        limit, used = (path.read_text(encoding="ascii").strip() if path.is_file() else "" for path in (LIMIT, USED))
    except (OSError, ValueError):
        return 0
    free = 1024 * int(line.split()[1])
    return min(free, int(limit) - int(used)) if limit.isdigit() and used.isdigit() else free
