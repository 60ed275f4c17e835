"""Checks of many cases at a time: large ones do not fill the memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import calib_monai.case_checks
from calib_monai.datalists.hippocampus import hippocampus_split, write_hippocampus
from calib_monai.phantoms import make_phantoms


def test_cases_of_many_voxels_are_read_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_hippocampus(str(tmp_path), make_phantoms(7))
    cases = [case for part in hippocampus_split(str(tmp_path)).values() for case in part]
    monkeypatch.setattr(calib_monai.case_checks, "MOST_BYTES", 1)
    read, most = [], []

    def check(case: dict[str, Any]) -> bool:
        read.append(case["case"])
        most.append(len(read))
        time.sleep(0.002)
        read.remove(case["case"])
        return True

    assert calib_monai.case_checks.check_all([cases], check) == [True] * 7
    assert max(most) == 1
