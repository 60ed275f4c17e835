"""Memory: what may be kept follows from what the system and a container's limit leave."""

from __future__ import annotations

from pathlib import Path

import pytest

import calib_monai.memory
from calib_monai.memory import available, fits


def test_a_container_has_what_its_limit_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"MEMORY": "MemTotal: 9 kB\nMemAvailable:    5 kB\n", "LIMIT": "4000\n", "USED": "1000\n"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
        monkeypatch.setattr(calib_monai.memory, name, tmp_path / name)
    assert available() == 3000
    (tmp_path / "LIMIT").write_text("max\n")
    assert available() == 5 * 1024
    (tmp_path / "MEMORY").unlink()
    assert available() == 0


def test_what_is_kept_is_a_quarter_of_what_there_is_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calib_monai.memory, "available", lambda: 90)
    assert fits(15, held=10)  # 25 of 100
    assert not fits(16, held=10)
    monkeypatch.setattr(calib_monai.memory, "available", lambda: 0)
    assert not fits(1, held=0)
