"""Loading: turns the files of a case into tensors with an affine in mm, or refuses them by name."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data import MetaTensor
from monai.data.utils import to_affine_nd
from monai.transforms import EnsureChannelFirst, LoadImage, MapTransform
from monai.utils import ensure_tuple
from torch import Tensor

from calib_monai.case_keys import IMAGE_AND_LABEL, LABEL, LABEL_VALUES
from calib_monai.data_files import check_data_file, check_regular
from calib_monai.dicom import header_of, is_dicom
from calib_monai.grids import SPATIAL_DIMS, check_affine, distance_of_grids, half_a_voxel
from calib_monai.headers import check_offset, is_nifti, stored_affine
from calib_monai.held_images import held_image, is_held
from calib_monai.intensities import check_intensities
from calib_monai.label_values import with_classes
from calib_monai.nrrd_spaces import check_space
from calib_monai.packed_voxels import check_packed
from calib_monai.pictures import SUFFIXES
from calib_monai.read_once import read_once
from calib_monai.readers import reader_of
from calib_monai.series import load_series
from calib_monai.voxel_sizes import check_voxel_sizes, mm_per_nifti_unit, mm_per_unit


class LoadCased(MapTransform):
    """Loads the files of a case with MONAI's LoadImaged and EnsureChannelFirstd, and with these additions.

    DICOM is read by series, from a folder or a list of files. A series with a gap or a doubled slice is refused
    (`calib_monai.series.load_series`). A volume in another unit gets its affine in mm. An affine that is not a grid is
    refused, and so is a volume in MetaImage or NRRD without sizes of its voxels. Several files become channels; their
    headers may differ by up to half a voxel, and the first header is used. A volume of a single slice gets its missing
    third axis; further axes are dropped if all of them are 1 long. The meta data hold "file_shape", the shape of the
    file. An image that is in memory already is taken as it is, if it has an affine. If a case has `LABEL_VALUES`, the
    classes of the values in the file of its label, the label gets these classes.

    Args:
        keys: keys that hold a path, several paths, or a MONAI MetaTensor; by default the image, and the label if there
            is one.
        reader: the reader of MONAI's LoadImage for files that are neither DICOM nor NIfTI; None takes ITK for NRRD and
            MetaImage (`calib_monai.readers`).
        spatial_dims: axes of an image, 2 or 3.
        allow_missing_keys: whether missing keys are allowed.

    Raises:
        ValueError: from a call, if files cannot be the image of a case; the message names them.
    """

    def __init__(
        self,
        keys: KeysCollection = IMAGE_AND_LABEL,
        reader: Any = None,
        spatial_dims: int = 3,
        allow_missing_keys: bool = False,  # noqa: FBT001, FBT002 - MONAI's
    ) -> None:
        super().__init__(keys, allow_missing_keys or keys == IMAGE_AND_LABEL)
        self.settings = type(self).__name__, str(reader), spatial_dims
        self.load, self.has_reader = LoadImage(reader=reader), reader is not None
        self.channel_first = EnsureChannelFirst()
        self.spatial_dims = spatial_dims

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with the images, each (C, H, W[, D])."""
        keys = list(self.key_iterator(dict(data)))
        held = {key: held_image(key, data[key], self.spatial_dims) for key in keys if is_held(data[key])}
        files = {key: [str(file) for file in ensure_tuple(data[key])] for key in keys if key not in held}
        loaded = read_once(files, self.settings, lambda: {key: self._image(of_key) for key, of_key in files.items()})
        if LABEL in loaded and LABEL_VALUES in data:
            loaded = {**loaded, LABEL: with_classes(loaded[LABEL], data[LABEL_VALUES], files[LABEL][0])}
            data = {key: value for key, value in data.items() if key != LABEL_VALUES}
        return {**data, **held, **loaded}

    def _image(self, files: list[str]) -> MetaTensor:
        """The image of files, (C, H, W[, D]): the slices of a series, or its channels."""
        if _are_one_series(files):
            return load_series(f"{files[0]} (with {len(files) - 1} more)", files)
        return _as_channels(files, [self._volume(file) for file in files])

    def _volume(self, file: str) -> MetaTensor:
        """The image of one file, or of a folder of DICOM, (C, H, W[, D])."""
        path = Path(file)
        check_regular(file)
        if path.is_dir():
            held = sorted(held for held in path.iterdir() if not held.name.startswith(".") and is_dicom(held))
            if not held:
                raise ValueError(_no_dicom(path))
            image = load_series(file, held)
        elif is_dicom(path):
            image = load_series(file, [path])
        else:
            image = self._other(file)
        check_affine(file, image.affine)
        if image.ndim == self.spatial_dims == SPATIAL_DIMS and not file.lower().endswith(SUFFIXES):
            image = _with_affine(image.unsqueeze(-1), to_affine_nd(SPATIAL_DIMS, image.affine))
        return image

    def _other(self, file: str) -> MetaTensor:
        """The image of a file that is no DICOM, (C, H, W[, D])."""
        check_data_file(file)
        check_offset(file)
        check_intensities(file)
        if self.spatial_dims == SPATIAL_DIMS:
            check_voxel_sizes(file)
            check_space(file)
        affine, to_mm = stored_affine(file) if is_nifti(file) else None, mm_per_unit(file)
        check_packed(file)
        if affine is not None:
            check_affine(file, affine)
        given = self.has_reader and not is_nifti(file)
        read = cast(MetaTensor, self.load(file, None if given else reader_of(file)))
        image = cast(MetaTensor, self.channel_first(read))
        image.meta["file_shape"] = np.asarray(read.shape)
        further = read.shape[SPATIAL_DIMS:] if self.spatial_dims == SPATIAL_DIMS else ()
        if len(further) > 1 and prod(further) == 1:
            image = cast(MetaTensor, image.flatten(SPATIAL_DIMS))
        if affine is not None:  # where it does not fit the sizes of voxels, MONAI takes another
            to_mm = mm_per_nifti_unit(file, int(image.meta.get("xyzt_units", 0)))
        if affine is not None or to_mm != 1:
            stored = np.asarray(image.affine) if affine is None else affine
            image = _with_affine(image, np.diag([to_mm] * (len(stored) - 1) + [1.0]) @ stored)
            image.meta["original_affine"] = image.affine.numpy().copy()
        return image


def _no_dicom(folder: Path) -> str:
    """The message for a folder without DICOM files."""
    held = sorted(file.name for file in folder.iterdir() if not file.name.startswith("."))
    more = f" and {len(held) - 1} more" if len(held) > 1 else ""
    kind = f"a folder that holds {held[0]}{more} and no DICOM file" if held else "an empty folder"
    return f"{folder} is {kind}; an image is a file, or a folder of one DICOM series: give the file"


def _with_affine(image: Tensor, affine: NdarrayOrTensor) -> MetaTensor:
    """An image with another affine."""
    changed = cast(MetaTensor, image)
    changed.affine = torch.as_tensor(np.asarray(affine, dtype=np.float64))
    return changed


def _are_one_series(files: Sequence[str]) -> bool:
    """Whether several files are the slices of one DICOM series, damaged ones among them."""
    if len(files) == 1 or not all(is_dicom(file) for file in files):
        return False
    headers = [header_of(file) for file in files]
    return len({header.series for header in headers if header}) == 1


def _as_channels(files: Sequence[str], volumes: Sequence[MetaTensor]) -> MetaTensor:
    """Volumes as channels on the grid of the first; raise ValueError if they differ in place or size."""
    first = volumes[0]
    if len(volumes) == 1:
        return first
    for file, volume in zip(files[1:], volumes[1:], strict=True):
        if volume.shape[1:] != first.shape[1:]:
            sizes = " and ".join(f"{name} is {tuple(at.shape[1:])}" for name, at in ((files[0], first), (file, volume)))
            raise ValueError(f"the files of one case must be of one size, and {sizes} voxels")
        distance, allowed = distance_of_grids(first, volume), half_a_voxel(first)
        if distance > allowed:
            raise ValueError(
                f"{file} lies {distance:.3g} mm from {files[0]}; the files of one case may lie half a voxel apart, "
                f"{allowed:.3g} mm here"
            )
    joined = MetaTensor(torch.cat([volume.as_tensor() for volume in volumes]), meta=first.meta)
    return _with_affine(joined, first.affine)
