"""Memory: what may be kept follows from what the system and a container's limit leave."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import calib_monai.memory
from calib_monai.memory import available, fits

Files = Callable[[dict[str, object]], None]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """Writes files of a system of which 5120 bytes are available, below "proc" and "groups"."""
    monkeypatch.setattr(calib_monai.memory, "PROC", tmp_path / "proc")
    monkeypatch.setattr(calib_monai.memory, "GROUPS", tmp_path / "groups")

    def write(content: dict[str, object]) -> None:
        for name, text in content.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(f"{text}\n")

    write({"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    5 kB"})
    return write


def test_where_nothing_limits_it_what_the_system_has_is_available(files: Files, tmp_path: Path) -> None:
    assert available() == 5120
    files({"proc/self/cgroup": "0::/", "groups/memory.max": "max", "groups/memory.current": 4000})
    files({"proc/self/limits": "Max address space         unlimited            unlimited            bytes"})
    assert available() == 5120
    (tmp_path / "proc" / "meminfo").unlink()
    assert available() == 0


@pytest.mark.parametrize("group", ["", "/job", "/slurm/job/step"])
@pytest.mark.parametrize("version", [1, 2])
def test_the_tightest_group_of_a_process_limits_it(version: int, group: str, files: Files) -> None:
    root, limit, used, cached = {
        1: ("groups/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        2: ("groups", "memory.max", "memory.current", "inactive_file"),
    }[version]
    place = "/slurm/job/step" if "slurm" in group else "/job/inside"
    controllers = "5:cpu,memory" if version == 1 else "0:"
    files({"proc/self/cgroup": f"7:pids:/elsewhere\n{controllers}:{place}"})
    files({f"{root}/other/{limit}": 1, f"{root}/other/{used}": 1})  # of another process
    files({f"{root}{group}/{limit}": 4000, f"{root}{group}/{used}": 1500})
    assert available() == 2500
    files({f"{root}{group}/memory.stat": f"{cached} 500\n{cached}_more 7"})
    assert available() == 3000
    files({f"{root}{group}/{used}": 4900})
    assert available() == 0


def test_a_limit_on_addresses_counts(files: Files) -> None:
    files({"proc/self/limits": "Max address space         4096                 8192                 bytes"})
    files({"proc/self/status": "VmPeak: 3 kB\nVmSize:\t  1 kB"})
    assert available() == 3072


def test_what_is_kept_is_a_quarter_of_what_there_is_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calib_monai.memory, "available", lambda: 90)
    assert fits(15, held=10)  # 25 of 100
    assert not fits(16, held=10)
    monkeypatch.setattr(calib_monai.memory, "available", lambda: 0)
    assert not fits(1, held=0)


def test_processes_and_workers_share_the_quarter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calib_monai.memory, "available", lambda: 120)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert fits(15, held=0)
    assert not fits(16, held=0)
    monkeypatch.setattr(calib_monai.memory, "get_worker_info", lambda: SimpleNamespace(num_workers=3))
    assert fits(5, held=0)
    assert not fits(6, held=0)
