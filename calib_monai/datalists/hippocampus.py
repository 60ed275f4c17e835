"""Hippocampus of the Medical Segmentation Decathlon: its folder is read and written here."""

from __future__ import annotations

from calib_monai.datalists.decathlon import read_decathlon, write_decathlon
from calib_monai.datalists.files import Volumes
from calib_monai.datalists.splits import Case, Split, split_cases

CLASS_NAMES = ("background", "anterior", "posterior")
PUBLISHED_COUNTS = (185, 25, 50)


def hippocampus_split(dataset_dir: str, seed: int = 0, fold: int = 0) -> Split:
    """Training, validation and test cases: 185, 25 and 50 as in MbLS, or the same proportions.

    Args:
        dataset_dir: the folder that holds `imagesTr` and `labelsTr`.
        seed: of the draw.
        fold: of a cross-validation.

    Raises:
        ValueError: as `read_decathlon` and `split_cases`.
    """
    return split_cases(read_hippocampus(dataset_dir), PUBLISHED_COUNTS, seed, fold)


def read_hippocampus(dataset_dir: str) -> list[Case]:
    """Cases of the folder, as `read_decathlon` gives them."""
    return read_decathlon(dataset_dir)


def write_hippocampus(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0, 1, 2 as the folder, at 1 mm; files of the same name are replaced."""
    write_decathlon(dataset_dir, cases, "Hippocampus", ["MRI"], CLASS_NAMES)
