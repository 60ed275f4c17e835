"""FLARE21, abdominal organs in CT: its folder is read and written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib_monai.datalists.files import Volumes, save_nifti
from calib_monai.datalists.patterns import Layout
from calib_monai.datalists.splits import Case, Split

# 240, 40 and 80 cases as in NACL.
LAYOUT = Layout(("TrainingImg/{case}_0000.nii.gz",), "TrainingMask/{case}.nii.gz", counts=(240, 40, 80))
AFFINE = np.diag([-2.0, -2.0, 8.0, 1.0])  # mm, of phantoms: left and posterior come first, as in the release


def flare_split(dataset_dir: str, seed: int = 0, fold: int = 0) -> Split:
    """Training, validation and test cases of the folder, as `Layout.split` gives them."""
    return LAYOUT.split(dataset_dir, seed, fold)


def read_flare(dataset_dir: str) -> list[Case]:
    """All cases of the folder, as `Layout.read` gives them."""
    return LAYOUT.read(dataset_dir)


def write_flare(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0 to 4 as the folder, images in Hounsfield units; files of the same name are replaced."""
    for name, (image, label) in cases.items():
        hounsfield = (-160 + 400 * image / image.max()).astype(np.int16)
        save_nifti(Path(dataset_dir) / LAYOUT.images[0].format(case=name), hounsfield, AFFINE)
        save_nifti(Path(dataset_dir) / LAYOUT.label.format(case=name), label, AFFINE)
