"""Peak memory of a piece of work, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable


def peak_growth(work: Callable[[], object]) -> int:
    """By how much the work lifts this process's peak above what rests, bytes."""
    with open("/proc/self/clear_refs", "w") as file:  # noqa: PTH123 - the peak starts anew
        file.write("5")
    before = _status("VmRSS")
    work()
    return 1024 * (_status("VmHWM") - before)


def printed_by(script: str, *arguments: str) -> int:
    """The number that a script prints last, run so that freed memory is given back: what rests is what lives."""
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    command = [sys.executable, script, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)  # noqa: S603
    return int(result.stdout.split()[-1])


def _status(key: str) -> int:
    """A line of this process's status, KiB."""
    with open("/proc/self/status") as file:  # noqa: PTH123
        return next(int(line.split()[1]) for line in file if line.startswith(key))
