"""Prostate of the Medical Segmentation Decathlon: its folder is read and written here."""

from __future__ import annotations

import numpy as np

from calib_monai.datalists.decathlon import read_decathlon, write_decathlon
from calib_monai.datalists.files import Volumes
from calib_monai.datalists.splits import Case, Split, split_cases

CLASS_NAMES = ("background", "PZ", "TZ")  # as its dataset.json calls them; the papers say CG for TZ
PUBLISHED_COUNTS = (22, 3, 7)
SPACING = (0.625, 0.625, 3.6)  # mm, of phantoms


def msd_prostate_split(dataset_dir: str, seed: int = 0, fold: int = 0) -> Split:
    """Training, validation and test cases: 22, 3 and 7 as in MbLS, or the same proportions.

    Args:
        dataset_dir: the folder that holds `imagesTr` and `labelsTr`.
        seed: of the draw.
        fold: of a cross-validation.

    Raises:
        ValueError: as `read_decathlon` and `split_cases`.
    """
    return split_cases(read_msd_prostate(dataset_dir), PUBLISHED_COUNTS, seed, fold)


def read_msd_prostate(dataset_dir: str) -> list[Case]:
    """Cases of the folder, as `read_decathlon` gives them; an image holds T2 and ADC along its fourth axis."""
    return read_decathlon(dataset_dir)


def write_msd_prostate(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0, 1, 2 as the folder; files of the same name are replaced.

    The images are 4D, T2 and ADC, which shows the structures dark.
    """
    both = {name: (np.stack([t2, t2.max() - t2], axis=-1), label) for name, (t2, label) in cases.items()}
    write_decathlon(dataset_dir, both, "PROSTATE", ["T2", "ADC"], CLASS_NAMES, SPACING)
