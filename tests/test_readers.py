"""Readers: NRRD and MetaImage are read by the same library whatever else is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
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
