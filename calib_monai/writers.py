"""Writers of files that MONAI's SaveImage takes and MONAI lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import nibabel
import numpy as np
import torch
from monai.data import NibabelWriter
from monai.data.utils import to_affine_nd

from calib_monai.grids import SPATIAL_DIMS
from calib_monai.whole_files import whole_path

PICTURE_DIMS = 3  # channel, height, width


class WholeNIfTIWriter(NibabelWriter):
    """MONAI's NIfTI writer, which leaves no partial file if the run is killed.

    The header names mm as its unit. All axes of an image are kept; MONAI's writer drops last axes of length 1. A map of
    one channel has the axes of the image's file, which "file_shape" in the meta data gives
    (`calib_monai.loading.LoadCased`).

    Attributes:
        failure: the reason why the last file could not be written, None if it was. MONAI's SaveImage raises another
            error, which says that no writer is installed.
    """

    file_shape: tuple[int, ...] = ()
    failure: ClassVar[OSError | None] = None

    def set_data_array(
        self,
        data_array: Any,
        channel_dim: int | None = 0,
        squeeze_end_dims: bool = True,  # noqa: FBT001, FBT002 - MONAI's
        **kwargs: Any,
    ) -> None:
        """Take the values to write.

        Args:
            data_array: (C, H, W[, D]).
            channel_dim: place of the channels.
            squeeze_end_dims: whether a single channel is no axis of the file.
            kwargs: as in MONAI's.
        """
        super().set_data_array(data_array, channel_dim, squeeze_end_dims=False, **kwargs)
        if squeeze_end_dims and self.data_obj.shape[-1] == 1:
            depth = slice(None) if len(data_array.shape) > PICTURE_DIMS else 0
            self.data_obj = self.data_obj[:, :, depth, 0]

    def set_metadata(self, meta_dict: Mapping[str, Any] | None = None, resample: bool = True, **options: Any) -> None:  # noqa: FBT001, FBT002
        """Take the affine, and the shape of the file.

        MONAI resamples in two dimensions even if `resample` is False, and fails if the first two axes do not span right
        and front, as in PIR.

        Args:
            meta_dict: meta data of the image.
            resample: as in MONAI's.
            options: as in MONAI's.
        """
        if resample:
            super().set_metadata(meta_dict, resample=resample, **options)
        else:
            _, self.affine, _ = self.get_meta_info(meta_dict)
        shape = tuple(int(size) for size in (meta_dict or {}).get("file_shape", ()))
        self.file_shape = shape[:SPATIAL_DIMS] if prod(shape[SPATIAL_DIMS:]) > 1 else shape

    @classmethod
    def create_backend_obj(cls, data_array: Any, affine: Any = None, dtype: Any = None, **kwargs: Any) -> Any:
        """The image that nibabel saves, as MONAI's, in mm."""
        image = super().create_backend_obj(data_array, affine, dtype, **kwargs)
        image.header.set_xyzt_units("mm")
        return image

    def write(self, filename: str | PathLike[str], verbose: bool = False, **obj_kwargs: Any) -> None:  # noqa: FBT001, FBT002
        """Write the file.

        Args:
            filename: of the file.
            verbose: whether the log says so.
            obj_kwargs: as in MONAI's.
        """
        if _long_axes(self.file_shape) == _long_axes(self.data_obj.shape):
            self.data_obj = self.data_obj.reshape(self.file_shape)
        WholeNIfTIWriter.failure = None
        try:
            with whole_path(Path(filename)) as unfinished:
                super().write(unfinished, verbose=verbose, **obj_kwargs)
        except OSError as error:
            WholeNIfTIWriter.failure = error
            raise
        self.data_obj = None  # MONAI keeps the writer until the next file


def _long_axes(shape: Sequence[int]) -> list[int]:
    """The lengths above 1; of no axes [0], as no values have."""
    return [size for size in shape if size != 1] if len(shape) else [0]


class ScaledNIfTIWriter(WholeNIfTIWriter):
    """`WholeNIfTIWriter`, which scales values to integers for an integer type.

    The header holds the scale, so that every reader returns the values to half a step. With "uint8" the range of a file
    has 255 steps, with "uint16" 65535. (NIfTI has no half precision.) MONAI's writer would cut probabilities to 0.
    """

    @classmethod
    def create_backend_obj(cls, data_array: Any, affine: Any = None, dtype: Any = None, **kwargs: Any) -> Any:
        """The image that nibabel saves, of the values themselves: MONAI's takes a copy in another order.

        Args:
            data_array: values, (H, W, D[, C]).
            affine: of the voxels.
            dtype: of the file.
            kwargs: of nibabel's Nifti1Image.
        """
        values = np.asarray(torch.as_tensor(data_array).as_subclass(torch.Tensor).detach().cpu(), np.float32)
        affine = np.eye(4) if affine is None else np.asarray(affine)
        image = nibabel.Nifti1Image(values, to_affine_nd(3, affine), **kwargs)  # type: ignore[no-untyped-call]
        image.header.set_xyzt_units("mm")  # type: ignore[no-untyped-call]
        image.set_data_dtype(dtype)  # type: ignore[no-untyped-call]
        return image
