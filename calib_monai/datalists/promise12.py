"""PROMISE12, the prostate in T2-weighted MRI: its folder is read and written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib_monai.datalists.files import Volumes, save_metaimage
from calib_monai.datalists.patterns import find_cases
from calib_monai.datalists.splits import Case, Split, split_cases

COUNTS = (22, 3, 7)
IMAGE = "{case}.mhd"
LABEL = "{case}_segmentation.mhd"
PLACES = ("", "training_data", "TrainingData*")
SPACING = (0.625, 0.625, 3.6)  # mm, of phantoms


def promise12_split(dataset_dir: str, seed: int = 0, fold: int = 0) -> Split:
    """Training, validation and test cases in the proportions 22, 3 and 7 of the papers' prostate data.

    Args:
        dataset_dir: the folder that holds the cases, or the `training_data` that does.
        seed: of the draw.
        fold: of a cross-validation.

    Raises:
        ValueError: as `find_cases` and `split_cases`.
    """
    return split_cases(read_promise12(dataset_dir), COUNTS, seed, fold)


def read_promise12(dataset_dir: str) -> list[Case]:
    """Cases of the folder, as `find_cases` gives them."""
    return find_cases(dataset_dir, [IMAGE], LABEL, PLACES)


def write_promise12(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0, 1 as the folder, MetaImage headers beside raw voxels; files are replaced."""
    for number, (_, (image, label)) in enumerate(sorted(cases.items())):
        name = f"Case{number:02d}"
        save_metaimage(Path(dataset_dir) / IMAGE.format(case=name), image.astype(np.int16), SPACING)
        save_metaimage(Path(dataset_dir) / LABEL.format(case=name), label.astype(np.int8), SPACING)
