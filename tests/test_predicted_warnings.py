"""Inputs: what a warning tells of images to predict."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
import pytest
from checked_phantoms import model
from predicted import IMAGE, inputs, on_demand, used_by

from calib_monai.datalists.hippocampus import hippocampus_split
from calib_monai.listed_cases import SplitOnDemand
from calib_monai.loading import LoadCased


def test_images_that_are_called_as_cases_of_the_training_are_told(
    phantom_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    split = {"training": ["phantom_002", "other"], "validation": ["phantom_003"], "test": ["phantom_004"]}
    (phantom_dir.parent / "split.json").write_text(json.dumps(split | {"drawn_with": {}}))
    inputs("", phantom_dir)
    assert "have the names of" not in caplog.text
    inputs(phantom_dir / "imagesTr", phantom_dir)
    assert "1 of the 8 listed case(s), first phantom_002, have the names of training cases" in caplog.text
    assert "1 of the 8 listed case(s), first phantom_003, have the names of validation cases" in caplog.text
    assert "names of test cases" not in caplog.text
    caplog.clear()
    cases = on_demand("", phantom_dir)
    used_by(cases, [{"image": str(phantom_dir / IMAGE)}])
    assert "1 of the 1 listed case(s), first phantom_002, have the names of training cases" in caplog.text
    (phantom_dir.parent / "split.json").write_text("{")
    assert len(inputs(phantom_dir / "imagesTr", phantom_dir)) == 8


@pytest.mark.parametrize("path", ["imagesTr", ""])
def test_images_that_a_model_has_seen_under_other_names_are_told(
    path: str, phantom_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hippocampus = partial(hippocampus_split, str(phantom_dir))
    cases = SplitOnDemand(
        datalist=hippocampus,
        made_for=model(),
        loading=LoadCased(),
        ckpt_dir=str(phantom_dir.parent),
        output_dir=str(phantom_dir.parent),
    )
    trained, test = cases["training"][0]["case"], hippocampus()["test"][0]["case"]
    inputs(phantom_dir / path if path else "", phantom_dir)
    assert "under other names" not in caplog.text
    shutil.copy(phantom_dir / "imagesTr" / f"{trained}.nii.gz", phantom_dir / "imagesTr" / f"{test}.nii.gz")
    inputs(phantom_dir / path if path else "", phantom_dir)
    told = f"split.json under other names, first {test}, which is {trained} there."
    assert told in caplog.text


@pytest.mark.parametrize("before", ["", "_"])
def test_channels_of_two_cases_that_a_list_joins_are_told(
    before: str, phantom_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether a file or its folder has the name of the case."""
    endings = (f"{before}t1.nii.gz", f"{before}t2.nii.gz")
    files = [f"{case}{ending}" if before else f"{case}/{ending}" for case in "ab" for ending in endings]
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(phantom_dir / IMAGE, tmp_path / file)
    listed = on_demand("", phantom_dir, endings)
    [case] = used_by(listed, [{"image": [str(tmp_path / file) for file in files[:2]]}])
    assert case["case"] == "a" or not before
    assert "are they of one case" not in caplog.text
    joined = on_demand("", phantom_dir, endings)
    used_by(joined, [{"image": [str(tmp_path / files[0]), str(tmp_path / files[3])]}])
    told = f"{files[3]} are listed as one image, and their names or folders differ: are they of one case?"
    assert told in caplog.text


def test_voxels_that_no_scanner_makes_are_told(
    phantom_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    image = nibabel.load(phantom_dir / IMAGE)
    nibabel.save(
        nibabel.Nifti1Image(image.get_fdata().astype(np.float32), np.diag([1, 1, 60, 1.0])), tmp_path / "a.nii"
    )
    inputs(phantom_dir / IMAGE, phantom_dir)
    assert "edge outside of" not in caplog.text
    inputs(tmp_path / "a.nii", phantom_dir)
    assert (
        "1 of 1 case(s) have voxels with an edge outside of 0.01 to 50.0 mm, first a with 1 x 1 x 60 mm" in caplog.text
    )
