"""MRBrainS18, tissues of the brain in MRI: its folder is read and written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib_monai.datalists.files import Volumes, save_nifti
from calib_monai.datalists.patterns import Layout
from calib_monai.datalists.splits import Case, Split

# Seven cases: 5, 1 and 1, so that the folds 0 to 6 leave out one each. In the labels 1 and 2 are gray matter, 3 and 4
# white matter, 5 and 6 cerebrospinal fluid; 7 to 10 are other things.
LAYOUT = Layout(
    ("{case}/pre/reg_T1.nii.gz", "{case}/pre/reg_IR.nii.gz", "{case}/pre/FLAIR.nii.gz"),
    "{case}/segm.nii.gz",
    counts=(5, 1, 1),
    places=("", "training"),
)
AFFINE = np.diag([-0.96, 0.96, 3.0, 1.0])  # mm, of phantoms
FIRST_LABEL = (0, 1, 3, 5)  # the first of the two that make up each class


def mrbrains_split(dataset_dir: str, seed: int = 0, fold: int = 0) -> Split:
    """Training, validation and test cases of the folder, as `Layout.split` gives them."""
    return LAYOUT.split(dataset_dir, seed, fold)


def read_mrbrains(dataset_dir: str) -> list[Case]:
    """All cases of the folder, as `Layout.read` gives them."""
    return LAYOUT.read(dataset_dir)


def write_mrbrains(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0 to 3 as the folder, each class as its two labels in turn, slice by slice."""
    for number, (_, (image, label)) in enumerate(sorted(cases.items()), 1):
        for pattern, channel in zip(LAYOUT.images, (image, image.max() - image, image), strict=True):
            save_nifti(Path(dataset_dir) / pattern.format(case=number), channel, AFFINE)
        second = (label > 0) & (np.arange(label.shape[-1]) % 2 == 1)
        released = np.take(FIRST_LABEL, label) + second
        released[0, 0] = 9  # an infarction, say
        save_nifti(Path(dataset_dir) / LAYOUT.label.format(case=number), released.astype(np.uint8), AFFINE)
