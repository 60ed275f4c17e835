"""Checks of many cases at a time: large ones do not fill the memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

import calib_monai.case_checks
from calib_monai import headers
from calib_monai.case_checks import check_workers
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

    assert calib_monai.case_checks.read_all([cases], check) == [True] * 7
    assert max(most) == 1


def test_as_many_cases_as_workers_must_fit_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = []
    for depth in (2, 4, 3):
        file = tmp_path / f"{depth}.nii"
        nibabel.save(nibabel.Nifti1Image(np.ones((5, 4, depth), np.int16), np.eye(4)), file)
        cases.append({"image": str(file), "case": f"{depth}"})
    monkeypatch.setattr(headers, "memory_here", lambda: 12 * 20 * 7)
    check_workers(cases, 2)
    with pytest.raises(ValueError, match=r"^num_workers is 3; give fewer, for the 3 largest cases, first 4, take "):
        check_workers(cases, 3)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=r"^num_workers is 2; .* 3 largest"):
        check_workers(cases, 2)
    check_workers(cases, 0)
