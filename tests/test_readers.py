"""Readers: NRRD and MetaImage of every type are read exactly, by the same library whatever else is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from monai.data import ImageReader

from calib_monai.datalists.files import save_nifti
from calib_monai.loading import LoadCased

VALUES = np.arange(4 * 5 * 6).reshape(4, 5, 6)
TYPES = {
    "int8": ("MET_CHAR", "signed char"),
    "uint8": ("MET_UCHAR", "unsigned char"),
    "int16": ("MET_SHORT", "short"),
    "uint16": ("MET_USHORT", "ushort"),
    "int32": ("MET_INT", "int"),
    "uint32": ("MET_UINT", "uint"),
    "int64": ("MET_LONG_LONG", "int64"),
    "uint64": ("MET_ULONG_LONG", "uint64"),
    "float32": ("MET_FLOAT", "float"),
    "float64": ("MET_DOUBLE", "double"),
}
MHA = (
    "ObjectType = Image\nNDims = {dims}\nBinaryData = True\nBinaryDataByteOrderMSB = False\n{more}DimSize = {sizes}\n"
    "ElementType = {kind}\nElementDataFile = LOCAL\n"
)
NRRD = "NRRD0004\ntype: {kind}\ndimension: {dims}\nsizes: {sizes}\nendian: little\nencoding: raw\n{more}\n"
LAS = "space: left-anterior-superior\nspace directions: (1,0,0) (0,-1,0) (0,0,2)\nspace origin: (10,-20,30)\n"


def written(path: Path, voxels: Any, kind: str = "", more: str = "", sizes: Any = None) -> str:
    """An image (H, W, D) as MetaImage or NRRD, its header written by hand."""
    sizes = sizes or voxels.shape
    sized = ("ElementSpacing", "space directions", "spacings")
    if not any(key in more for key in sized):
        key = "ElementSpacing =" if path.suffix == ".mha" else "spacings:"
        more += f"{key} {' '.join('1' * len(sizes))}\n"
    header = {".mha": MHA, ".nrrd": NRRD}[path.suffix].format(
        kind=kind or TYPES[voxels.dtype.name][path.suffix == ".nrrd"],
        dims=len(sizes),
        sizes=" ".join(map(str, sizes)),
        more=more,
    )
    path.write_bytes(header.encode() + voxels.tobytes(order="F"))
    return str(path)


def loaded(file: str) -> Any:
    return LoadCased("image")({"image": file})["image"]


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
@pytest.mark.parametrize("kind", TYPES)
def test_every_type_of_real_numbers_is_read_exactly(kind: str, suffix: str, tmp_path: Path) -> None:
    low, high = (0, 255) if kind == "uint8" else (-128, 127) if kind == "int8" else (0, 2**15 - 1)
    high = 2**24 if np.dtype(kind).itemsize > 2 else high
    values = np.array([low, high, *VALUES.flat][: VALUES.size]).reshape(VALUES.shape).astype(kind)
    image = loaded(written(tmp_path / f"a{suffix}", values))
    assert image.dtype.is_floating_point
    assert np.array_equal(image[0].numpy(), values)


@pytest.mark.parametrize("kind", ["uint8", "int16", "int64", "float64"])
@pytest.mark.parametrize("channels", [2, 5])
def test_several_channels_are_read(channels: int, kind: str, tmp_path: Path) -> None:
    values = np.stack([VALUES + number for number in range(channels)]).astype(kind)
    more = f"ElementNumberOfChannels = {channels}\n"
    kinds = "kinds: list domain domain domain\nspace: RAS\nspace directions: none (1,0,0) (0,1,0) (0,0,2)\n"
    files = [
        written(tmp_path / "a.mha", values, more=more, sizes=VALUES.shape),
        written(tmp_path / "a.nrrd", values, more=kinds),
    ]
    for file in files:
        image = loaded(file)
        assert image.affine.shape == (4, 4)
        assert np.array_equal(image.numpy(), values)


def test_an_image_of_too_many_axes_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "a.mha", VALUES.astype(np.int16).reshape(4, 5, 6, 1, 1))
    with pytest.raises(ValueError, match=r"a\.mha has 5 axes; it must have at most 4: of space, and of channels$"):
        loaded(file)


class Other(ImageReader):
    """A reader of everything, such as one that comes with another package."""

    def verify_suffix(self, filename: Any) -> bool:  # noqa: ARG002 - MONAI's
        return True

    def read(self, data: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - MONAI's
        raise AssertionError(data)

    def get_data(self, img: Any) -> Any:
        raise AssertionError(img)


def test_no_other_package_reads_a_volume(tmp_path: Path) -> None:
    values = VALUES.astype(np.int16)
    save_nifti(tmp_path / "a.nii.gz", values, np.eye(4))
    files = [written(tmp_path / "a.mha", values), written(tmp_path / "a.nrrd", values), str(tmp_path / "a.nii.gz")]
    load = LoadCased("image")
    load.load.register(Other())
    for file in files:
        assert np.array_equal(load({"image": file})["image"][0].numpy(), values)


def test_the_space_and_the_sizes_of_a_nrrd_hold(tmp_path: Path) -> None:
    values = VALUES.astype(np.int16)
    affine = loaded(written(tmp_path / "las.nrrd", values, more=LAS)).affine.numpy()
    assert np.array_equal(affine[:3], [[-1, 0, 0, -10], [0, -1, 0, -20], [0, 0, 2, 30]])
    assert np.array_equal(loaded(written(tmp_path / "s.nrrd", values, more="spacings: 1 1 2\n")).pixdim, [1, 1, 2])
