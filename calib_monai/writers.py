"""Writers of files that MONAI's SaveImage takes and MONAI lacks."""

from __future__ import annotations

from typing import Any

import numpy as np
from monai.data import NibabelWriter


class ScaledNIfTIWriter(NibabelWriter):
    """MONAI's NIfTI writer, which scales values into integers where it is given an integer type.

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
