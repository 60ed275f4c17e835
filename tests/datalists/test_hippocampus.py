"""The Decathlon's hippocampus folder: written, read back, refused."""

from __future__ import annotations

import shutil
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


@pytest.mark.parametrize(("lost", "kept"), [("imagesTr", "label"), ("labelsTr", "image")])
def test_a_file_without_its_partner_is_named(phantom_dir: Path, lost: str, kept: str) -> None:
    (phantom_dir / lost / "phantom_003.nii.gz").unlink()
    with pytest.raises(ValueError, match=rf"1 {kept}\(s\).*phantom_003"):
        read_hippocampus(str(phantom_dir))


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere is not a folder"):
        read_hippocampus(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="has no folder imagesTr"):
        read_hippocampus(str(tmp_path))


def test_the_folder_above_is_recognized(phantom_dir: Path) -> None:
    with pytest.raises(ValueError, match=r"did you mean .*Task04_Hippocampus"):
        read_hippocampus(str(phantom_dir.parent))


def test_an_empty_folder_is_named(phantom_dir: Path) -> None:
    shutil.rmtree(phantom_dir / "labelsTr")
    (phantom_dir / "labelsTr").mkdir()
    with pytest.raises(ValueError, match=r"labelsTr holds no \.nii\.gz"):
        read_hippocampus(str(phantom_dir))


@pytest.mark.skipif(not REAL.is_dir(), reason="the real data set is not on this machine")
def test_the_real_data_set_is_split_as_published() -> None:
    assert [len(cases) for cases in hippocampus_split(str(REAL)).values()] == [185, 25, 50]
