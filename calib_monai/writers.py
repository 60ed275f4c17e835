"""Writers of files that MONAI's SaveImage takes and MONAI lacks."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import NibabelWriter

from calib_monai.whole_files import whole_path


class WholeNIfTIWriter(NibabelWriter):
    """MONAI's NIfTI writer, whose file is whole or not there, whenever the run is killed."""

    def write(self, filename: str | PathLike[str], verbose: bool = False, **obj_kwargs: Any) -> None:  # noqa: FBT001, FBT002
        """Write the file.

        Args:
            filename: of the file.
            verbose: whether the log says so.
            obj_kwargs: as of MONAI's.
        """
        with whole_path(Path(filename)) as unfinished:
            super().write(unfinished, verbose=verbose, **obj_kwargs)


class ScaledNIfTIWriter(WholeNIfTIWriter):
    """`WholeNIfTIWriter`, which scales values into integers where it is given an integer type.

    The header holds the scale, so that every reader gives back the values, to half a step: with "uint8" the
    range of a file has 255 steps, with "uint16" 65535. (NIfTI has no half precision.) MONAI's own would cut
    probabilities to 0.
    """

    @classmethod
    def create_backend_obj(cls, data_array: Any, affine: Any = None, dtype: Any = None, **kwargs: Any) -> Any:
        """The image that nibabel saves.

        Args:
            data_array: values, (H, W, D[, C]).
            affine: of the voxels.
            dtype: of the file.
            kwargs: as of MONAI's.
        """
        image = super().create_backend_obj(data_array, affine, np.float32, **kwargs)
        image.set_data_dtype(dtype)
        return image
