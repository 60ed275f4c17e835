"""Evaluations of other labeled data: in the bundle's layout, or by a JSON with other names and label values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from committed import refused, start, trimmed, write_dataset

from calib_monai.datalists.files import Volumes
from calib_monai.phantoms import make_phantoms

LABELS = {"1": "posterior", "3": "anterior"}
VOLUMES: dict[str, Any] = {"patch_size": [16, 16, 8], "network_def#channels": [4, 8, 8, 8], "batch_size": 4}
BUNDLE = "hippocampus_nacl"


def small(seed: int, count: int) -> Volumes:
    """Phantoms of a few slices."""
    return trimmed(make_phantoms(count, seed), 12, 20)


def write_hospital(folder: Path, cases: Volumes) -> Path:
    """Cases with other names and label values, and a JSON that tells them."""
    folder.mkdir()
    for name, (image, label) in cases.items():
        values = np.array([0, 3, 1], dtype=np.uint8)[label]
        nibabel.save(nibabel.Nifti1Image(image.astype(np.float32), np.eye(4)), folder / f"{name}_t1.nii.gz")
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), folder / f"{name}_seg.nii.gz")
    file = folder.parent / "hospital.json"
    named = {"folder": folder.name, "images": ["{case}_t1.nii.gz"], "label": "{case}_seg.nii.gz", "labels": LABELS}
    file.write_text(json.dumps(named))
    return file


def results(out: Path) -> dict[str, Any]:
    """What an evaluation wrote."""
    return dict(json.loads((out / "summary.json").read_text()))


@pytest.mark.parametrize(("of", "options"), [("", {}), ("_volumes", VOLUMES)], ids=["slices", "volumes"])
def test_other_data_are_measured_alike_by_layout_and_by_json(of: str, options: dict[str, Any], tmp_path: Path) -> None:
    data, other = tmp_path / "data", tmp_path / "other"
    write_dataset("hippocampus", data, small(5, 4))
    write_dataset("hippocampus", other, small(9, 2))
    file = write_hospital(tmp_path / "hospital", small(9, 2))
    start(BUNDLE, f"train{of}", data, tmp_path, epochs=1, **options)
    given = options | {"ckpt_dir": str(tmp_path / "models"), "figures": False}
    start(BUNDLE, f"evaluate{of}", data, tmp_path / "inside", **given)
    for name, test_dir in (("layout", other), ("json", file)):
        start(BUNDLE, f"evaluate{of}", tmp_path / "gone", tmp_path / name, test_dir=str(test_dir), **given)
    inside, by_layout, by_json = (results(tmp_path / name) for name in ("inside", "layout", "json"))
    assert by_json["metrics"] == by_layout["metrics"]
    assert by_json["metrics"]["dice_foreground"]["value"] != inside["metrics"]["dice_foreground"]["value"]
    assert by_json["num_cases"] == 2
    assert (by_json["dataset"], by_json["trained_on"], inside["elsewhere"]) == ("hospital", "hippocampus", None)
    assert by_json["elsewhere"]["labels"] == LABELS | {"0": "background"}
    with refused("summary.json is of an evaluation of the test cases of the training, and this one is of .*other: set"):
        start(BUNDLE, f"evaluate{of}", data, tmp_path / "inside", test_dir=str(other), **given)
    assert results(tmp_path / "inside") == inside
