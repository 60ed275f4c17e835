"""PROMISE12, the prostate in T2-weighted MRI: its folder is read and written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib_monai.datalists.files import Volumes, save_metaimage
from calib_monai.datalists.patterns import Layout

# The proportions 22, 3 and 7 of the papers' prostate data.
LAYOUT = Layout(
    ("{case}.mhd",),
    "{case}_segmentation.mhd",
    counts=(22, 3, 7),
    places=("", "training_data", "TrainingData*"),
)
promise12_split = LAYOUT.split
read_promise12 = LAYOUT.read
SPACING = (0.625, 0.625, 3.6)  # mm, of phantoms


def write_promise12(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0, 1 as the folder, MetaImage headers beside raw voxels; files are replaced."""
    for number, (_, (image, label)) in enumerate(sorted(cases.items())):
        name = f"Case{number:02d}"
        save_metaimage(Path(dataset_dir) / LAYOUT.images[0].format(case=name), image.astype(np.int16), SPACING)
        save_metaimage(Path(dataset_dir) / LAYOUT.label.format(case=name), label.astype(np.int8), SPACING)
