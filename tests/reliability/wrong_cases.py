"""One bad case among good ones: it is passed over with a line of its own, and the others are predicted."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from spoiled import CASE, IMAGE, header
from wrong_inputs import Wrong


def sized(image: nibabel.Nifti1Image) -> None:
    """Voxels larger than the earth."""
    image.set_sform(np.diag([1e20, 1e20, 1e20, 1]), code=1)
    image.set_qform(None, code=0)


def taken(folder: Path) -> None:
    """A file where the folder of a case would be."""
    (folder / "eval" / "predictions").mkdir(parents=True)
    (folder / "eval" / "predictions" / CASE).touch()


WRONG_CASES = [
    Wrong(
        f"one case of several: {name}",
        r"^error: 1 case\(s\) were passed over",
        change,
        "inference",
        {"input": "{}/data/imagesTr"},
        after_training=True,
    )
    for name, change in (("voxels larger than the earth", header(IMAGE, sized)), ("its place is taken", taken))
]
