"""The endings by which an inference finds the images of one's own cases."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from bundle_endings import endings_of
from committed import REPOSITORY


@pytest.mark.parametrize(
    ("images", "endings"),
    [
        (["{case}_t1.nii.gz"], ["_t1.nii.gz"]),
        (["imagesTr/{case}_0000.nii.gz"], ["_0000.nii.gz"]),
        (["{case}/scan.nii.gz"], ["scan.nii.gz"]),
        (["*/{case}_pd.nii", "*/{case}_t2.nii"], ["_pd.nii", "_t2.nii"]),
        (["{case}.nii.gz"], []),
        (["images/{case}.*"], []),
        (["{case}_*.nii.gz"], []),
        (["*/{case}/scan.nii.gz"], []),
        (["pd/{case}.nii", "t2/{case}.nii"], []),
        (["{case}.nii", "{case}_t2.nii"], []),
    ],
)
def test_endings_are_what_follows_the_case_where_they_tell_images_apart(images: list[str], endings: list[str]) -> None:
    assert endings_of(images) == endings


@pytest.mark.parametrize(("given", "endings"), [({}, ["_t1.nii.gz"]), ({"cases": {"endings": None}}, None)])
def test_a_bundle_of_ones_own_data_has_the_endings_of_its_patterns(
    given: dict[str, Any], endings: list[str] | None, tmp_path: Path
) -> None:
    part = {
        "image": {"channels": ["T1"]},
        "both": {"slice_size": [32, 32], "datalist": {"images": ["{case}_t1.nii.gz"], "label": "{case}_seg.nii.gz"}},
        "train": {"class_names": ["background", "bone"]},
        "inference": given,
    }
    (tmp_path / "bones.json").write_text(json.dumps(part))
    compose = runpy.run_path(str(REPOSITORY / "scripts" / "compose_bundles.py"))["main"]
    compose(["--dataset", str(tmp_path / "bones.json"), "--method", "ce", "--out", str(tmp_path)])
    inference = json.loads((tmp_path / "bones_ce" / "configs" / "inference.json").read_text())
    assert inference["cases"].get("endings") == endings
