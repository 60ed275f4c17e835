"""MRBrainS18, tissues of the brain in MRI: its folder is read and written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib_monai.datalists.files import Volumes, save_nifti
from calib_monai.datalists.patterns import find_cases
from calib_monai.datalists.splits import Case, Split, split_cases

COUNTS = (5, 1, 1)
IMAGES = ("{case}/pre/reg_T1.nii.gz", "{case}/pre/reg_IR.nii.gz", "{case}/pre/FLAIR.nii.gz")
LABEL = "{case}/segm.nii.gz"
PLACES = ("", "training")
AFFINE = np.diag([-0.96, 0.96, 3.0, 1.0])  # mm, of phantoms
FIRST_LABEL = (0, 1, 3, 5)  # the first of the two that make up each class


def mrbrains_split(dataset_dir: str, seed: int = 0, fold: int = 0) -> Split:
    """Training, validation and test cases: 5, 1 and 1, so that the folds 0 to 6 leave out one of the seven each.

    Args:
        dataset_dir: the folder that holds the cases, or the `training` that does.
        seed: of the draw.
        fold: of the cross-validation.

    Raises:
        ValueError: as `find_cases` and `split_cases`.
    """
    return split_cases(read_mrbrains(dataset_dir), COUNTS, seed, fold)


def read_mrbrains(dataset_dir: str) -> list[Case]:
    """Cases of the folder, each with T1, IR and FLAIR on one grid, as `find_cases` gives them.

    In the labels 1 and 2 are gray matter, 3 and 4 white matter, 5 and 6 cerebrospinal fluid; 7 to 10 are other things.
    """
    return find_cases(dataset_dir, IMAGES, LABEL, PLACES)


def write_mrbrains(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0 to 3 as the folder, each class as its two labels in turn, slice by slice."""
    for number, (_, (image, label)) in enumerate(sorted(cases.items()), 1):
        for pattern, channel in zip(IMAGES, (image, image.max() - image, image), strict=True):
            save_nifti(Path(dataset_dir) / pattern.format(case=number), channel, AFFINE)
        second = (label > 0) & (np.arange(label.shape[-1]) % 2 == 1)
        released = np.take(FIRST_LABEL, label) + second
        released[0, 0] = 9  # an infarction, say
        save_nifti(Path(dataset_dir) / LABEL.format(case=number), released.astype(np.uint8), AFFINE)
