"""Outputs: those that are asked for are written, each under its name."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from calib_monai.checks import OUTPUTS
from calib_monai.outputs import MASKS, SaveOutputsd

PROBS = torch.tensor([0.25, 0.75, 0.5, 0.5, 1.0, 0.0]).reshape(3, 2).T.reshape(2, 3, 1, 1)
NAMED = {"filename_or_obj": "case_1.nii.gz"}


def case() -> dict[str, MetaTensor]:
    """A case of three voxels and two classes."""
    label, spread = PROBS.argmax(dim=0, keepdim=True), torch.full((1, 3, 1, 1), 0.125)
    found = {"pred": label.to(torch.uint8), "prob": PROBS, "spread": spread, "margin": (PROBS >= 0.5).byte()}
    return {key: MetaTensor(value, meta=dict(NAMED)) for key, value in found.items()}


def voxels(folder: Path, output: str) -> np.ndarray:
    return nibabel.load(folder / "case_1" / f"case_1_{output}.nii.gz").get_fdata().squeeze()


def test_each_output_is_written_under_its_name(tmp_path: Path) -> None:
    given = case()
    assert SaveOutputsd(str(tmp_path), OUTPUTS)(given).keys() == given.keys()
    assert voxels(tmp_path, "label").tolist() == [1, 0, 0]
    assert np.allclose(voxels(tmp_path, "probs"), PROBS.squeeze().T)
    assert np.allclose(voxels(tmp_path, "confidence"), [0.75, 0.5, 1])
    assert np.allclose(voxels(tmp_path, "entropy"), [0.811278, 1, 0])
    assert np.allclose(voxels(tmp_path, "spread"), 0.125)
    assert voxels(tmp_path, "margin").tolist() == (PROBS >= 0.5).squeeze().T.tolist()


def test_a_case_is_called_by_its_name_else_by_its_file(tmp_path: Path) -> None:
    image = MetaTensor(torch.zeros(1, 2, 2), meta={"filename_or_obj": "/data/7/scan.1.nii.gz"})
    save = SaveOutputsd(str(tmp_path), ["label"])
    save({"image": image, "pred": image})
    save({"image": image, "pred": image, "case": "seven.1"})
    assert (tmp_path / "scan.1" / "scan.1_label.nii.gz").is_file()
    assert (tmp_path / "seven.1" / "seven.1_label.nii.gz").is_file()
    with pytest.raises(ValueError, match="a case is called"):
        save({"image": image, "pred": image, "case": "../seven"})


@pytest.mark.parametrize("outputs", [["label", "margin"], ["entropy", "confidence"], ["spread", "probs"]])
def test_only_what_is_asked_for_is_written_and_in_the_type_that_is_asked_for(
    outputs: list[str], tmp_path: Path
) -> None:
    SaveOutputsd(str(tmp_path), outputs, probs_dtype="uint16")(case())
    files = {path.name: nibabel.load(path).get_data_dtype() for path in tmp_path.rglob("*.nii.gz")}
    assert files == {f"case_1_{output}.nii.gz": "uint8" if output in MASKS else "uint16" for output in outputs}


def test_a_full_disk_is_told_and_no_missing_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MONAI would say that no writer is installed."""

    def full(*_args: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    save = SaveOutputsd(str(tmp_path), ["label"])
    with monkeypatch.context() as patched:
        patched.setattr("nibabel.save", full)
        with pytest.raises(OSError, match=r"No space left on device: .*/case_1/case_1_label\.nii\.gz"):
            save(case())
    save(case())
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file"):
        SaveOutputsd(str(tmp_path / "file"), ["probs"])(case())
