"""Hippocampus of the Medical Segmentation Decathlon: its folder is read and written here."""

from __future__ import annotations

from calib_monai.datalists.decathlon import decathlon_layout, write_decathlon
from calib_monai.datalists.files import Volumes
from calib_monai.datalists.splits import Case, Split

LAYOUT = decathlon_layout(counts=(185, 25, 50))  # as in MbLS
CLASS_NAMES = ("background", "anterior", "posterior")


def hippocampus_split(dataset_dir: str, seed: int = 0, fold: int = 0) -> Split:
    """Training, validation and test cases of the folder, as `Layout.split` gives them."""
    return LAYOUT.split(dataset_dir, seed, fold)


def read_hippocampus(dataset_dir: str) -> list[Case]:
    """All cases of the folder, as `Layout.read` gives them."""
    return LAYOUT.read(dataset_dir)


def write_hippocampus(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0, 1, 2 as the folder, at 1 mm; files of the same name are replaced."""
    write_decathlon(dataset_dir, cases, "Hippocampus", ["MRI"], CLASS_NAMES)
