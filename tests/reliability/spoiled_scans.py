"""Scans to predict, spoiled: what is wrong, what the last line must hold, and what makes the folder of inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import itk
import nibabel
import numpy as np

from calib_monai.datalists.files import save_dicom

VOXELS = np.random.default_rng(0).integers(0, 300, (14, 18, 8)).astype(np.int16)


def series(folder: Path) -> Path:
    save_dicom(folder / "inputs", VOXELS, (1, 1, 3))
    return folder / "inputs"


def with_a_gap(folder: Path) -> None:
    inputs = series(folder)
    for number in (3, 4):
        (inputs / f"00{number}.dcm").unlink()


def with_a_doubled_slice(folder: Path) -> None:
    inputs = series(folder)
    (inputs / "copy").write_bytes((inputs / "003.dcm").read_bytes())


def with_a_damaged_slice(folder: Path) -> None:
    (series(folder) / "007.dcm").write_bytes(b"")


def of_many_frames(folder: Path) -> None:
    (folder / "inputs").mkdir()
    image = itk.image_from_array(np.ascontiguousarray(VOXELS.T).astype(np.uint16))
    image.GetMetaDataDictionary()["0008|0060"] = "MR"
    itk.imwrite(image, str(folder / "inputs" / "frames.dcm"), imageio=itk.GDCMImageIO.New())


def of_no_affine(folder: Path) -> None:
    (folder / "inputs").mkdir()
    image = nibabel.Nifti1Image(VOXELS, None)
    image.header["sform_code"] = 1
    nibabel.save(image, folder / "inputs" / "scan.nii.gz")


SCANS: list[tuple[str, str, Callable[[Path], object]]] = [
    ("DICOM with a gap", "lacks slices: between 6 and 15 mm .* gap of 9 mm", with_a_gap),
    ("DICOM with a doubled slice", "holds two slices at 9 mm", with_a_doubled_slice),
    ("DICOM with a damaged slice", "007.dcm is damaged", with_a_damaged_slice),
    ("DICOM of many frames", "multi-frame DICOM", of_many_frames),
    ("an affine of zeros", "voxels of 0 x 0 x 0 mm", of_no_affine),
]
