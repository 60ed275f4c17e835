"""Headers: checks the header of a file before memory is used for its voxels."""

from __future__ import annotations

import math
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import nibabel
import numpy as np
from nibabel.openers import ImageOpener
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray

NIFTI = (".nii", ".nii.gz")
MOST_COMPRESSED = 1032  # to one: deflate can do no more
BYTES_A_VOXEL = 4  # loaded as float32
MOST_APART = 0.5  # of a voxel, between the places that qform and sform give the corners


def is_nifti(file: str) -> bool:
    """Whether a file has the name of a NIfTI."""
    return file.lower().endswith(NIFTI)


def check_header(file: str) -> None:
    """Raise ValueError if a file cannot be opened, or is a NIfTI with a wrong header or voxels that cannot be loaded.

    The header is wrong if it promises more voxels than the file can hold. Voxels must be real numbers and fit into
    memory. Other formats, and files that only have the name of a NIfTI, are left to their readers.
    """
    try:
        if not Path(file).is_dir():  # a DICOM series is one
            Path(file).open("rb").close()
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    if not is_nifti(file):
        return
    try:
        image = _image(file)
    except Exception:  # noqa: BLE001 - the reader says what is wrong
        return
    if not isinstance(image, SpatialImage):
        return
    shape, dtype = image.shape, image.get_data_dtype()
    if dtype.kind not in "iufb":
        raise ValueError(f"{file} holds {_kind(dtype)} ({dtype}); it must hold real numbers")
    voxels, told = math.prod(shape), " x ".join(map(str, shape))
    held = Path(file).stat().st_size * (MOST_COMPRESSED if file.lower().endswith(".gz") else 1)
    if voxels * dtype.itemsize > held:
        raise ValueError(f"{file} is damaged: its header promises {told} voxels, more than a file of its size can hold")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf
    if voxels * BYTES_A_VOXEL > memory:
        raise ValueError(
            f"{file} is {told} voxels, {voxels * BYTES_A_VOXEL / 2**30:.0f} GiB once loaded; there are "
            f"{memory / 2**30:.0f} GiB here"
        )


def doubt_of_place(file: str) -> str:
    """A doubt about the place that the header of a NIfTI gives its voxels, or an empty text."""
    try:
        header: Any = _image(file).header
        codes = int(header["sform_code"]), int(header["qform_code"])
        if not any(codes):
            return "say nothing of their orientation (sform and qform codes are 0); LAS is taken"
        if not all(codes):
            return ""
        ends = [(0, size - 1) for size in (*header.get_data_shape(), 1, 1, 1)[:3]]
        corners = np.array([*np.meshgrid(*ends), np.ones((2, 2, 2))]).reshape(4, -1)
        sform = header.get_sform()
        apart = np.linalg.norm(((sform - header.get_qform()) @ corners)[:3], axis=0).max()
        smallest = np.linalg.norm(sform[:3, :3], axis=0).min()
    except Exception:  # noqa: BLE001 - the reader says what is wrong
        return ""
    return "lie elsewhere by their qform than by their sform, which is taken" if apart > MOST_APART * smallest else ""


def stored_affine(file: str) -> NDArray[np.float64] | None:
    """The affine in the header of a NIfTI, (4, 4); None if the file is not a NIfTI or has too few axes.

    nibabel replaces a size of 0 by 1.
    """
    try:
        kind: Any = type(_image(file).header)
        with ImageOpener(file) as content:
            header = kind.from_fileobj(content, check=False)
        return np.asarray(header.get_best_affine(), dtype=np.float64) if len(header.get_data_shape()) > 1 else None
    except Exception:  # noqa: BLE001 - the reader says what is wrong
        return None


def voxels_in(file: str) -> int:
    """The number of voxels in a file or folder: from the header of a NIfTI, else about the number of bytes."""
    path = Path(file)
    try:
        if is_nifti(file):
            return math.prod(cast(SpatialImage, _image(file)).shape)
        return sum(inside.stat().st_size for inside in (path.rglob("*") if path.is_dir() else [path]))
    except Exception:  # noqa: BLE001 - the reader says what is wrong
        return 0


def _image(file: str) -> Any:
    """The image of a NIfTI, whose voxels are not read; its header is read once until the file changes."""
    status = Path(file).stat()
    return _read(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=100_000)
def _read(file: str, _changed: int, _size: int) -> Any:
    """`_image`, remembered."""
    return nibabel.load(file)


def _kind(dtype: np.dtype[np.generic]) -> str:
    """The name for values of a type that are not real numbers."""
    return "complex numbers" if dtype.kind == "c" else "colors"
