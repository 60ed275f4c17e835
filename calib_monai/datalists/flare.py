"""FLARE21, abdominal organs in CT: its folder is read and written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib_monai.datalists.files import Volumes, save_nifti
from calib_monai.datalists.patterns import find_cases
from calib_monai.datalists.splits import Case, Split, split_cases

PUBLISHED_COUNTS = (240, 40, 80)
IMAGE = "TrainingImg/{case}_0000.nii.gz"
LABEL = "TrainingMask/{case}.nii.gz"
AFFINE = np.diag([-2.0, -2.0, 8.0, 1.0])  # mm, of phantoms: left and posterior come first, as in the release


def flare_split(dataset_dir: str, seed: int = 0, fold: int = 0) -> Split:
    """Training, validation and test cases: 240, 40 and 80 as in NACL, or the same proportions.

    Args:
        dataset_dir: the folder that holds `TrainingImg` and `TrainingMask`.
        seed: of the draw.
        fold: of a cross-validation.

    Raises:
        ValueError: as `find_cases` and `split_cases`.
    """
    return split_cases(read_flare(dataset_dir), PUBLISHED_COUNTS, seed, fold)


def read_flare(dataset_dir: str) -> list[Case]:
    """Cases of the folder, as `find_cases` gives them."""
    return find_cases(dataset_dir, [IMAGE], LABEL)


def write_flare(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0 to 4 as the folder, images in Hounsfield units; files of the same name are replaced."""
    for name, (image, label) in cases.items():
        hounsfield = (-160 + 400 * image / image.max()).astype(np.int16)
        save_nifti(Path(dataset_dir) / IMAGE.format(case=name), hounsfield, AFFINE)
        save_nifti(Path(dataset_dir) / LABEL.format(case=name), label, AFFINE)
