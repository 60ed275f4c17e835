"""Inputs: images without labels, in files, folders and series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calib_monai.datalists.files import save_dicom
from calib_monai.datalists.inputs import channels_in, images_in


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_labels_beside_their_images_are_not_predicted(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii.gz", "a_gt.nii.gz", "b.mhd", "b.raw", "b_segmentation.mhd", "b_segmentation.raw")
    touch(tmp_path, "c (1).png", "c (1)_mask.png", "c (1)_mask_1.png", "lonely_gt.nii.gz", ".hidden.nii.gz")
    assert [case["case"] for case in images_in(tmp_path)] == ["a", "b", "c (1)", "lonely_gt"]


def test_a_folder_of_dicom_files_is_one_image(tmp_path: Path) -> None:
    save_dicom(tmp_path / "series", np.zeros((4, 4, 2), np.int16), (1, 1, 1))
    assert images_in(tmp_path / "series") == [{"image": str(tmp_path / "series"), "case": "series"}]


def test_inputs_that_are_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere does not exist"):
        images_in(tmp_path / "nowhere")
    touch(tmp_path, "notes.txt")
    with pytest.raises(ValueError, match=r"holds no \.nii\.gz, .* or \.png image"):
        images_in(tmp_path)
    touch(tmp_path, "a.nii.gz", "a.nii")
    with pytest.raises(ValueError, match="holds a twice"):
        images_in(tmp_path)


def test_channels_are_found_by_how_their_files_end(tmp_path: Path) -> None:
    touch(tmp_path, "one/one_t1.nii", "one/one_t2.nii", "one/one_seg.nii", "two_t1.nii", "two_t2.nii", "._two_t2.nii")
    cases = channels_in(tmp_path, ("_t2.nii", "_t1.nii"))
    assert [case["case"] for case in cases] == ["one", "two"]
    assert cases[1]["image"] == [str(tmp_path / "two_t2.nii"), str(tmp_path / "two_t1.nii")]


def test_where_all_files_have_one_name_a_case_is_called_by_its_folder(tmp_path: Path) -> None:
    touch(tmp_path, "7/pre/t1.nii", "7/pre/t2.nii", "8/pre/t1.nii", "8/pre/t2.nii")
    assert [case["case"] for case in channels_in(tmp_path, ("t1.nii", "t2.nii"))] == ["7", "8"]
    for one in (tmp_path / "7", tmp_path / "7" / "pre"):
        assert [case["case"] for case in channels_in(one, ("t1.nii", "t2.nii"))] == ["7_pre"]
    touch(tmp_path, "7/post/t1.nii", "7/post/t2.nii")
    with pytest.raises(ValueError, match="holds 7 twice"):
        channels_in(tmp_path, ("t1.nii", "t2.nii"))


def test_a_channel_may_be_the_only_one(tmp_path: Path) -> None:
    touch(tmp_path, "data/case_1/imaging.nii.gz", "data/case_1/segmentation.nii.gz", "data/case_2/imaging.nii.gz")
    assert channels_in(tmp_path, ("imaging.nii.gz",))[1] == {
        "image": str(tmp_path / "data" / "case_2" / "imaging.nii.gz"),
        "case": "case_2",
    }


def test_a_channel_that_is_missing_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "one_t1.nii")
    with pytest.raises(ValueError, match=r"one_t1\.nii has no one_t2\.nii beside it; needed are files that end in"):
        channels_in(tmp_path, ("_t1.nii", "_t2.nii"))
    with pytest.raises(ValueError, match=r"holds no file that ends in _flair\.nii"):
        channels_in(tmp_path, ("_flair.nii",))
    with pytest.raises(ValueError, match="is not a folder"):
        channels_in(tmp_path / "one_t1.nii", ("_t1.nii", "_t2.nii"))
