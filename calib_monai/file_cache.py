"""A cache of what is read of files: an entry holds until its file changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

MOST_FILES = 100_000


def cached_until_changed(read: Callable[[str], T]) -> Callable[[str], T]:
    """A decorator of a function that reads a file: it is called again only if the file has another time or size.

    Args:
        read: takes the path. Its errors are not cached.
    """

    @lru_cache(maxsize=MOST_FILES)
    def of_state(file: str, _changed: int, _size: int) -> T:
        return read(file)

    @wraps(read)
    def of_file(file: str) -> T:
        status = Path(file).stat()
        return of_state(file, status.st_mtime_ns, status.st_size)

    return of_file
