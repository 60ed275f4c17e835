"""BraTS 2019, gliomas in MRI: its folder is read and written here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib_monai.datalists.files import Volumes, save_nifti
from calib_monai.datalists.patterns import Layout
from calib_monai.datalists.splits import Case, Split

# 235, 35 and 65 cases as in NACL. In the labels 1 is necrosis and non-enhancing tumor, 2 edema and 4 enhancing tumor;
# there is no 3.
LAYOUT = Layout(
    tuple(f"{{case}}/{{case}}_{modality}.nii.gz" for modality in ("flair", "t1", "t1ce", "t2")),
    "{case}/{case}_seg.nii.gz",
    counts=(235, 35, 65),
    places=("HGG", "LGG", "", "*/HGG", "*/LGG"),
)
AFFINE = np.array([[-1.0, 0, 0, 0], [0, -1.0, 0, 239], [0, 0, 1.0, 0], [0, 0, 0, 1]])  # mm, as in the release
BRAIN_EDGE = 3  # voxels of air around phantoms


def brats_split(dataset_dir: str, seed: int = 0, fold: int = 0) -> Split:
    """Training, validation and test cases of the folder, as `Layout.split` gives them."""
    return LAYOUT.split(dataset_dir, seed, fold)


def read_brats(dataset_dir: str) -> list[Case]:
    """All cases of the folder, as `Layout.read` gives them."""
    return LAYOUT.read(dataset_dir)


def write_brats(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0 to 3 as the folder, half in `HGG`; class 3 becomes 4, and around the brain is 0."""
    edge = [(BRAIN_EDGE, BRAIN_EDGE)] * 2 + [(0, 0)]
    for number, (name, (image, label)) in enumerate(sorted(cases.items())):
        folder = Path(dataset_dir) / ("HGG" if number % 2 else "LGG")
        one = 1 + np.pad(image, edge, constant_values=-1)
        other = np.where(one > 0, 1 + one.max() - one, 0)
        for pattern, channel in zip(LAYOUT.images, (one, other, other, one), strict=True):
            save_nifti(folder / pattern.format(case=name), channel.astype(np.int16), AFFINE)
        released = np.where(label == 3, 4, label).astype(np.int16)  # noqa: PLR2004 - enhancing tumor
        save_nifti(folder / LAYOUT.label.format(case=name), np.pad(released, edge), AFFINE)
