"""KiTS19, kidneys and their tumors in CT: its folder is read and written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib_monai.datalists.files import Volumes, save_nifti
from calib_monai.datalists.patterns import Layout
from calib_monai.datalists.splits import Case, Split

# 150, 25 and 35 of the 210 labeled cases. The challenge's test cases, which have no label, are none.
LAYOUT = Layout(
    ("{case}/imaging.nii.gz",),
    "{case}/segmentation.nii.gz",
    counts=(150, 25, 35),
    places=("", "data"),
    unlabeled=True,
)
# Axial slices lie along the first axis of the files; sizes in mm, of phantoms.
AFFINE = np.array([[0, 0, -1.62, 0], [0, -1.62, 0, 0], [-3.22, 0, 0, 0], [0, 0, 0, 1.0]])


def kits_split(dataset_dir: str, seed: int = 0, fold: int = 0) -> Split:
    """Training, validation and test cases of the folder, as `Layout.split` gives them."""
    return LAYOUT.split(dataset_dir, seed, fold)


def read_kits(dataset_dir: str) -> list[Case]:
    """All cases of the folder, as `Layout.read` gives them."""
    return LAYOUT.read(dataset_dir)


def write_kits(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0, 1, 2 as the folder, axial slices first; files of the same name are replaced."""
    for number, (_, (image, label)) in enumerate(sorted(cases.items())):
        name = f"case_{number:05d}"
        hounsfield = -79 + 383 * image / image.max()
        save_nifti(Path(dataset_dir) / LAYOUT.images[0].format(case=name), hounsfield.T.astype(np.float32), AFFINE)
        save_nifti(Path(dataset_dir) / LAYOUT.label.format(case=name), label.T, AFFINE)
