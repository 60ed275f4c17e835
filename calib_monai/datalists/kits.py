"""KiTS19, kidneys and their tumors in CT: its folder is read and written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib_monai.datalists.files import Volumes, save_nifti
from calib_monai.datalists.patterns import find_cases
from calib_monai.datalists.splits import Case, Split, split_cases

COUNTS = (150, 25, 35)
IMAGE = "{case}/imaging.nii.gz"
LABEL = "{case}/segmentation.nii.gz"
PLACES = ("", "data")
# Axial slices lie along the first axis of the files; sizes in mm, of phantoms.
AFFINE = np.array([[0, 0, -1.62, 0], [0, -1.62, 0, 0], [-3.22, 0, 0, 0], [0, 0, 0, 1.0]])


def kits_split(dataset_dir: str, seed: int = 0, fold: int = 0) -> Split:
    """Training, validation and test cases: 150, 25 and 35 of the 210 labeled, or the same proportions.

    Args:
        dataset_dir: the folder that holds the cases, or the `data` that does.
        seed: of the draw.
        fold: of a cross-validation.

    Raises:
        ValueError: as `find_cases` and `split_cases`.
    """
    return split_cases(read_kits(dataset_dir), COUNTS, seed, fold)


def read_kits(dataset_dir: str) -> list[Case]:
    """Cases of the folder, as `find_cases` gives them; the challenge's test cases, which have no label, are none."""
    return find_cases(dataset_dir, [IMAGE], LABEL, PLACES, unlabeled=True)


def write_kits(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0, 1, 2 as the folder, axial slices first; files of the same name are replaced."""
    for number, (_, (image, label)) in enumerate(sorted(cases.items())):
        name = f"case_{number:05d}"
        hounsfield = -79 + 383 * image / image.max()
        save_nifti(Path(dataset_dir) / IMAGE.format(case=name), hounsfield.T.astype(np.float32), AFFINE)
        save_nifti(Path(dataset_dir) / LABEL.format(case=name), label.T, AFFINE)
