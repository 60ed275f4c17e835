"""One bad case among good ones: it is passed over with a line of its own, and the others are predicted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import nibabel
import numpy as np
from spoiled import CASE, IMAGE, LABEL, file, header, voxels
from wrong_inputs import Wrong


def sized(image: nibabel.Nifti1Image) -> None:
    """Voxels larger than the earth."""
    image.set_sform(np.diag([1e20, 1e20, 1e20, 1]), code=1)
    image.set_qform(None, code=0)


def empty_and_huge(path: Path) -> None:
    """512 million voxels in 500 kilobytes."""
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)), path)
    content = bytearray(gzip.decompress(path.read_bytes())[:352])
    content[40:56] = np.array([3, 512, 1000, 1000, 1, 1, 1, 1], dtype="<i2").tobytes()
    zeros = gzip.compress(bytes(2**24))  # a file may have several members
    path.write_bytes(gzip.compress(bytes(content)) + zeros * (512 * 10**6 // 2**24 + 1))


def one_hot(voxels: np.ndarray) -> np.ndarray:
    """An image in which one voxel is far from all others."""
    voxels[0, 0, 0] = 1e30
    return voxels


def pairs_shifted(folder: Path) -> None:
    """Each image with the label of the next case, in the lists of the data set."""
    path = folder / "data" / "dataset.json"
    content = json.loads(path.read_text())
    labels = [pair["label"] for pair in content["training"]]
    for pair, label in zip(content["training"], labels[1:] + labels[:1], strict=True):
        pair["label"] = label
    path.write_text(json.dumps(content))


def taken(folder: Path) -> None:
    """A file where the folder of a case would be."""
    (folder / "eval" / "predictions").mkdir(parents=True)
    (folder / "eval" / "predictions" / CASE).touch()


WRONG_CASES = [
    Wrong(
        f"one case of several: {name}",
        r"^error: 1 case\(s\) were skipped",
        change,
        "inference",
        {"input": "{}/data/imagesTr"},
        after_training=True,
    )
    for name, change in (
        ("voxels larger than the earth", header(IMAGE, sized)),
        ("512 million voxels in 500 KB", file(IMAGE, empty_and_huge)),
        ("its place is taken", taken),
        ("values whose difference float32 does not have", voxels(IMAGE, lambda v: np.where(v > v.mean(), 3e38, -3e38))),
        ("one extreme voxel", voxels(IMAGE, one_hot)),
    )
] + [
    Wrong(
        "the whole disk as input",
        "error: / is /, and all folders in it would be searched",
        config="inference",
        options={"input": "/"},
        after_training=True,
    ),
    Wrong(
        "an empty label of 512 million voxels",
        f"{CASE}.* is 512 x 1000 x 1000 voxels, more than .*{IMAGE} has",
        file(LABEL, empty_and_huge),
    ),
    Wrong(
        "one extreme voxel", rf"{IMAGE} has voxel\(s\) of 1e\+30, .*replace the extreme voxels", voxels(IMAGE, one_hot)
    ),
    Wrong(
        "pairs of other files in dataset.json",
        "dataset.json lists .* with .*, which by its name is the label of",
        pairs_shifted,
    ),
]
