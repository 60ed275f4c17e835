"""Files: writes phantoms in the file formats of the data sets."""

from __future__ import annotations

import locale
from collections.abc import Mapping, Sequence
from pathlib import Path

import itk
import nibabel
import numpy as np
from numpy.typing import NDArray

Volumes = Mapping[str, tuple[NDArray[np.float32], NDArray[np.uint8]]]  # by case, image and label, each (H, W, D)


def save_nifti(path: Path, voxels: NDArray[np.generic], affine: NDArray[np.float64]) -> None:
    """Write voxels (H, W, D[, C]) as NIfTI; make the folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(voxels, affine), path)  # type: ignore[no-untyped-call]


def save_nrrd(path: Path, voxels: NDArray[np.generic], spacing: Sequence[float]) -> None:
    """Write voxels (H, W, D) as NRRD; make the folder if needed; `spacing` is in mm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = itk.image_from_array(np.ascontiguousarray(voxels.T))
    image.SetSpacing([float(size) for size in spacing])
    itk.imwrite(image, str(path))


def save_metaimage(path: Path, voxels: NDArray[np.int8] | NDArray[np.int16], spacing: Sequence[float]) -> None:
    """Write voxels (H, W, D) as MetaImage, the header at `path` and the `.raw` beside it; `spacing` is in mm.

    (ITK's Python cannot hold voxels of signed bytes, the type of PROMISE12's labels.)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {
        "ObjectType": "Image",
        "NDims": "3",
        "DimSize": " ".join(map(str, voxels.shape)),
        "ElementSpacing": " ".join(map(str, spacing)),
        "ElementType": {"int8": "MET_CHAR", "int16": "MET_SHORT"}[voxels.dtype.name],
        "ElementDataFile": f"{path.stem}.raw",
    }
    path.write_text("".join(f"{key} = {value}\n" for key, value in header.items()), encoding="ascii")
    path.with_suffix(".raw").write_bytes(voxels.tobytes(order="F"))


def save_dicom(
    folder: Path,
    voxels: NDArray[np.int16],
    spacing: Sequence[float],
    *,
    series: str = "1.2.826.0.1.3680043.2.1125.1",
    tags_of: Mapping[str, str] | None = None,
    name: str = "{:03d}.dcm",
) -> None:
    """Write voxels (H, W, D) as one DICOM series, with a file for each slice.

    Args:
        folder: folder of the files; it is made if needed.
        voxels: (H, W, D).
        spacing: size of a voxel along each axis in mm.
        series: unique identifier of the series.
        tags_of: further tags of all files, by "GROUP|ELEMENT".
        name: name of the files, with a place for the number of the slice.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = locale.setlocale(locale.LC_ALL)
    for index in range(voxels.shape[-1]):
        image = itk.image_from_array(np.ascontiguousarray(voxels[..., index].T))
        image.SetSpacing([float(size) for size in spacing[:2]])
        tags = image.GetMetaDataDictionary()
        tags["0008|0018"] = f"{series}.{index}"
        tags["0008|0060"] = "MR"
        tags["0018|0050"] = str(spacing[2])
        tags["0020|000d"], tags["0020|000e"] = f"{series}.1", series
        tags["0020|0013"] = str(index + 1)
        tags["0020|0032"] = f"0\\0\\{index * spacing[2]}"
        tags["0020|0037"] = "1\\0\\0\\0\\1\\0"
        for tag, value in (tags_of or {}).items():
            tags[tag] = value
        image.SetMetaDataDictionary(tags)
        itk.imwrite(image, str(folder / name.format(index)), imageio=itk.GDCMImageIO.New(KeepOriginalUID=True))
    locale.setlocale(locale.LC_ALL, before)  # ITK leaves "C", with which all texts would be ASCII
