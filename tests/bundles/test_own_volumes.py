"""Data of one's own as volumes: the JSON says so, and gives a spacing from which the patch follows."""

from __future__ import annotations

import json
import math
import runpy
from pathlib import Path
from typing import Any

import pytest
from committed import REPOSITORY

from calib_monai.networks.levels import levels_of


@pytest.mark.parametrize(
    ("volumes", "patch_size"),
    [(True, [128, 128, 64]), ({"patch_size": [16, 16, 8], "spacing": [1.0, 1.0, 2.0]}, [16, 16, 8])],
)
def test_ones_own_data_are_volumes_where_the_json_says_so(
    volumes: object, patch_size: list[int], tmp_path: Path
) -> None:
    file = compose_own(tmp_path, {"volumes": volumes, "numbers": {"pixdim": [1.0, 1.0, 1.5]}})
    assert json.loads(file.read_text())["patch_size"] == patch_size


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"volumes": True}, r"the spacing is \[-1, -1, -1\]; volumes need three sizes above 0"),
        ({"volumes": "yes"}, "it must be true, or have"),
        ({"volumes": {"patch": [1, 1, 1]}}, "it must be true, or have"),
    ],
)
def test_volumes_without_a_spacing_are_refused(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        compose_own(tmp_path, changed)


def test_ones_own_data_are_slices_where_the_json_says_nothing(tmp_path: Path) -> None:
    assert not compose_own(tmp_path, {}).exists()


def compose_own(folder: Path, changed: dict[str, Any]) -> Path:
    """The path of volumes.json in a bundle of one's own data, whose JSON has these sections besides."""
    part: dict[str, Any] = {
        "image": {"channels": ["T1"], "modality": "MR", "format": "magnitude"},
        "both": {"slice_size": [32, 32], "datalist": {"images": ["{case}.nii.gz"], "label": "{case}_label.nii.gz"}},
        "train": {"class_names": ["background", "bone"]},
    }
    (folder / "bones.json").write_text(json.dumps(part | changed))
    compose = runpy.run_path(str(REPOSITORY / "scripts" / "compose_bundles.py"))["main"]
    compose(["--dataset", str(folder / "bones.json"), "--method", "ce", "--out", str(folder)])
    return folder / "bones_ce" / "configs" / "volumes.json"


@pytest.mark.parametrize(
    "spacing", [[1, 1, 1], [0.3, 0.3, 5], [0.625, 0.625, 3.6], [5, 0.7, 0.7], [0.1, 0.1, 0.1], [2, 1, 4]]
)
def test_the_patch_of_ones_own_data_can_be_halved(spacing: list[float]) -> None:
    patch = runpy.run_path(str(REPOSITORY / "scripts" / "bundle_volumes.py"))["patch_of"](spacing)
    assert len(levels_of(patch, spacing).strides) >= 4
    assert 2**18 < math.prod(patch) < 2**22
