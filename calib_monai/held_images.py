"""Images in memory: takes an image that another program has read already, with its channel first."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.utils import MetaKeys
from torch import Tensor

from calib_monai.grids import check_affine

logger = logging.getLogger(__name__)


def is_held(image: object) -> bool:
    """Whether an image is in memory, and not in a file."""
    return isinstance(image, Tensor | np.ndarray)


def held_image(key: Hashable, image: Any, spatial_dims: int) -> MetaTensor:
    """A copy of an image that is in memory, (C, H, W[, D]), float32.

    Args:
        key: the key of the image, for messages.
        image: a MONAI MetaTensor with or without a channel. Its meta data may say where the channel is, as those of
            MONAI's readers do. If they do not, the channel is first.
        spatial_dims: axes of an image, 2 or 3.

    Raises:
        ValueError: an image that is no MetaTensor, or one with complex numbers or another number of axes.
    """
    meta = dict(image.meta) if isinstance(image, MetaTensor) else {}
    if not isinstance(image, MetaTensor):
        raise ValueError(  # noqa: TRY004 - as all refusals
            f"{key} is in memory and has no affine, so nothing says how large a voxel is and which way the axes run: "
            "give a MONAI MetaTensor with its affine, or the path of a file"
        )
    affine = torch.as_tensor(image.affine)
    if meta.get(MetaKeys.ORIGINAL_AFFINE) is None and torch.equal(affine, torch.eye(len(affine)).to(affine)):
        logger.warning(
            "%s is in memory with the affine of a new MetaTensor: its voxels are taken to be 1 mm in size, and its "
            "axes to run to the right, to the front and up",
            key,
        )
    if image.is_complex():
        raise ValueError(f"{key} is in memory with complex numbers; it must hold real ones")
    values = torch.as_tensor(image).as_subclass(Tensor).to(torch.float32, copy=True)
    if values.ndim == spatial_dims:
        values = values.unsqueeze(0)
    elif values.ndim == spatial_dims + 1:
        values = values.movedim(_channel_axis(key, values, meta), 0)
    else:
        raise ValueError(
            f"{key} is in memory with the shape {tuple(image.shape)}; it must have {spatial_dims} axes, and may "
            "have one for its channels"
        )
    check_affine(str(key), affine)
    meta.pop(MetaKeys.AFFINE, None)
    return MetaTensor(values.contiguous(), affine=affine.to(torch.float64), meta=meta)


def _channel_axis(key: Hashable, values: Tensor, meta: Mapping[Any, Any]) -> int:
    """The axis of the channels: by MONAI's meta data that of the file, unless the channel has come first since.

    Raises:
        ValueError: the image has neither the shape of the file nor that with its channel first.
    """
    said, known = meta.get(MetaKeys.ORIGINAL_CHANNEL_DIM), meta.get(MetaKeys.SPATIAL_SHAPE)
    axis = int(said) if isinstance(said, int | float | np.number | Tensor) and not np.isnan(float(said)) else 0
    if axis == 0 or known is None:
        return axis
    shape = [int(size) for size in known]
    for place in (axis, 0):
        left = list(values.shape)
        del left[place]
        if left == shape:
            return place
    raise ValueError(
        f"{key} is in memory with the shape {tuple(values.shape)}, and its file has images of {tuple(shape)} with the "
        f"channels on axis {axis}: nothing says which axis they are on now"
    )
