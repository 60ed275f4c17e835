"""FLARE21, abdominal organs in CT: its folder is read and written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib_monai.datalists.files import Volumes, save_nifti
from calib_monai.datalists.patterns import Layout

# 240, 40 and 80 cases as in NACL.
LAYOUT = Layout(("TrainingImg/{case}_0000.nii.gz",), "TrainingMask/{case}.nii.gz", counts=(240, 40, 80))
flare_split = LAYOUT.split
read_flare = LAYOUT.read
AFFINE = np.diag([-2.0, -2.0, 8.0, 1.0])  # mm, of phantoms: left and posterior come first, as in the release


def write_flare(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0 to 4 as the folder, images in Hounsfield units; files of the same name are replaced."""
    for name, (image, label) in cases.items():
        hounsfield = (-160 + 400 * image / image.max()).astype(np.int16)
        save_nifti(Path(dataset_dir) / LAYOUT.images[0].format(case=name), hounsfield, AFFINE)
        save_nifti(Path(dataset_dir) / LAYOUT.label.format(case=name), label, AFFINE)
