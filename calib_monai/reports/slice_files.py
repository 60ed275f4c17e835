"""Slice files: reads the slice that an evaluation has kept of a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib_monai.archives import check_unpacked

IGNORED = 255  # in the label of a slice
ROUNDING = 1e-3  # of a probability, with room
MOST_UNPACKED = 2**30  # bytes: 1024 x 1024 pixels of 250 classes


@dataclass(frozen=True)
class Slice:
    """One slice of a case: image (H, W), label (H, W), probs (C, H, W), its index, and whether W runs upwards.

    The label of an ignored voxel is `IGNORED`. A picture has no index. `voxel_aspect` is the length of a voxel along W
    divided by its length along H.
    """

    image: NDArray[np.float32]
    label: NDArray[np.uint8]
    probs: NDArray[np.float32]
    index: int | None
    from_below: bool
    voxel_aspect: float = 1.0


def read_slice(path: Path, num_classes: int) -> Slice:
    """The slice in a file that an evaluation wrote.

    Raises:
        ValueError: the file is damaged or of an earlier version.
    """
    try:
        check_unpacked(path, MOST_UNPACKED)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays: dict[str, NDArray[Any]] = {name: np.asarray(values) for name, values in archive.items()}
    except Exception as error:  # noqa: BLE001 - a damaged file has errors of its own
        raise ValueError(f"{path} is damaged ({error}): evaluate again") from None
    if "from_below" not in arrays:
        raise ValueError(f"{path} was written by an earlier version: evaluate again")
    shapes = [arrays[name].shape if name in arrays else None for name in ("image", "label", "probs")]
    size = shapes[0]
    if size is None or len(size) != 2 or shapes[1:] != [size, (num_classes, *size)]:  # noqa: PLR2004 - H and W
        raise ValueError(
            f"{path} is damaged (its image, label and probs are {', '.join(map(str, shapes))}): evaluate again"
        )
    if fault := _fault_of(arrays, num_classes):
        raise ValueError(f"{path} is damaged ({fault}): evaluate again")
    index = int(arrays["index"]) if "index" in arrays else None
    aspect = float(arrays.get("voxel_aspect", 1.0))
    return Slice(arrays["image"], arrays["label"], arrays["probs"], index, bool(arrays["from_below"]), aspect)


def _fault_of(arrays: Mapping[str, NDArray[Any]], num_classes: int) -> str:
    """What is wrong with the values of a kept slice, "" if nothing is."""
    scalars = [np.asarray(arrays.get(name, 1.0)) for name in ("index", "voxel_aspect", "from_below")]
    if any(one.dtype.kind not in "iufb" for one in (*arrays.values(), *scalars)) or any(one.ndim for one in scalars):
        return "an array is of another type"
    if not all(np.isfinite(one).all() for one in arrays.values()):
        return "a value is NaN or infinite"
    if scalars[1] <= 0:
        return f"voxel_aspect is {scalars[1]}"
    if arrays["probs"].min(initial=0) < 0 or arrays["probs"].max(initial=0) > 1 + ROUNDING:
        return "probs are none"
    label = arrays["label"]
    if not ((label >= 0) & ((label < num_classes) | (label == IGNORED))).all():
        return f"a label is none of {num_classes} classes"
    return ""
