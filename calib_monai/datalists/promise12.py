"""PROMISE12, the prostate in T2-weighted MRI: its folder is read and written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib_monai.datalists.files import Volumes, save_metaimage
from calib_monai.datalists.patterns import Layout
from calib_monai.datalists.splits import Case, Split

# The proportions 22, 3 and 7 of the papers' prostate data.
LAYOUT = Layout(
    ("{case}.mhd",),
    "{case}_segmentation.mhd",
    counts=(22, 3, 7),
    places=("", "training_data", "TrainingData*"),
)
SPACING = (0.625, 0.625, 3.6)  # mm, of phantoms


def promise12_split(dataset_dir: str, seed: int = 0, fold: int = 0) -> Split:
    """Training, validation and test cases of the folder, as `Layout.split` gives them."""
    return LAYOUT.split(dataset_dir, seed, fold)


def read_promise12(dataset_dir: str) -> list[Case]:
    """All cases of the folder, as `Layout.read` gives them."""
    return LAYOUT.read(dataset_dir)


def write_promise12(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0, 1 as the folder, MetaImage headers beside raw voxels; files are replaced."""
    for number, (_, (image, label)) in enumerate(sorted(cases.items())):
        name = f"Case{number:02d}"
        save_metaimage(Path(dataset_dir) / LAYOUT.images[0].format(case=name), image.astype(np.int16), SPACING)
        save_metaimage(Path(dataset_dir) / LAYOUT.label.format(case=name), label.astype(np.int8), SPACING)
