"""Memory: what is kept to save time has a limit, which the processes of a run share."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import calib_monai.memory
from calib_monai.memory import MOST, fits, memory_here


def test_what_is_kept_has_a_limit() -> None:
    assert fits(MOST - 10, held=10)
    assert not fits(MOST - 10, held=11)


def test_processes_and_workers_share_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert fits(MOST // 2, held=0)
    assert not fits(MOST // 2, held=1)
    monkeypatch.setattr(calib_monai.memory, "get_worker_info", lambda: SimpleNamespace(num_workers=4))
    assert fits(MOST // 8, held=0)
    assert not fits(MOST // 8, held=1)


def test_the_limit_of_a_container_or_a_user_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = memory_here()
    assert 2**28 < here < 2**50
    (tmp_path / "none").write_text("max\n")
    (tmp_path / "some").write_text("1000\n")
    for names, limit in ((("gone", "none"), here), (("none", "some"), 1000)):
        monkeypatch.setattr(calib_monai.memory, "OF_CONTAINERS", [str(tmp_path / name) for name in names])
        assert memory_here() == limit
    monkeypatch.setattr(resource, "getrlimit", lambda _: (500, -1))
    assert memory_here() == 500


STEPS = """
from resource import RUSAGE_SELF, getrusage
import torch
import calib_monai.memory
from calib_monai.memory import free_at_once, keep_freed
{first}
for _ in range(40):
    before = getrusage(RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
print(getrusage(RUSAGE_SELF).ru_minflt - before)
"""  # the pages that the system hands out, and clears, for the last of 40 blocks of 64 MiB, each freed before the next


def faults(first: str) -> int:
    program = [sys.executable, "-c", STEPS.format(first=first)]
    return int(subprocess.run(program, check=True, capture_output=True).stdout)  # noqa: S603 - our own


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another library gives out memory")
def test_memory_that_is_kept_is_not_cleared_again() -> None:
    roomy = "calib_monai.memory.ROOMY = 0"
    assert faults(f"{roomy}; keep_freed()") < 100
    assert faults(f"{roomy}; keep_freed(); free_at_once()") > 1000
    assert faults("calib_monai.memory.ROOMY = 1e20; keep_freed()") > 1000
