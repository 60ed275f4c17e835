"""Hippocampus of the Medical Segmentation Decathlon: its folder is read and written here."""

from __future__ import annotations

from calib_monai.datalists.decathlon import decathlon_layout, write_decathlon
from calib_monai.datalists.files import Volumes

LAYOUT = decathlon_layout(counts=(185, 25, 50))  # as in MbLS
hippocampus_split = LAYOUT.split
read_hippocampus = LAYOUT.read
CLASS_NAMES = ("background", "anterior", "posterior")


def write_hippocampus(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0, 1, 2 as the folder, at 1 mm; files of the same name are replaced."""
    write_decathlon(dataset_dir, cases, "Hippocampus", ["MRI"], CLASS_NAMES)
