"""The Decathlon's hippocampus folder: written, read back, refused."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from calib_monai.datalists.hippocampus import hippocampus_split, read_hippocampus
from calib_monai.phantoms import make_phantoms

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "Task04_Hippocampus"


def test_what_is_written_is_read_back(phantom_dir: Path) -> None:
    cases = read_hippocampus(str(phantom_dir))
    phantoms = make_phantoms(8, seed=3)
    assert [case["case"] for case in cases] == sorted(phantoms)
    for case in cases:
        assert np.array_equal(np.asarray(nibabel.load(case["image"]).dataobj), phantoms[case["case"]].image)
        assert np.array_equal(np.asarray(nibabel.load(case["label"]).dataobj), phantoms[case["case"]].label)


def test_hidden_files_are_passed_over(phantom_dir: Path) -> None:
    (phantom_dir / "imagesTr" / "._phantom_000.nii.gz").write_bytes(b"an archive's shadow")
    assert len(read_hippocampus(str(phantom_dir))) == 8


@pytest.mark.skipif(not REAL.is_dir(), reason="the real data set is not on this machine")
def test_the_real_data_set_is_split_as_published() -> None:
    assert [len(cases) for cases in hippocampus_split(str(REAL)).values()] == [185, 25, 50]
