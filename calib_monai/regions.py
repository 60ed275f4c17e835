"""Regions: which voxels of a label map a measure looks at."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

REGIONS = ("foreground", "union", "boundary", "all")


def region_mask(region: str, target: Tensor, probs: Tensor) -> Tensor:
    """The voxels of a region, (B, 1, H, W[, D]), bool.

    "foreground" is where the label is not background; "union" where the label or the most probable
    class is not; "boundary" where the 3-voxel neighborhood holds more than one class; "all" is all.

    Args:
        region: one of `REGIONS`.
        target: class indices, (B, 1, H, W[, D]).
        probs: probabilities, (B, C, H, W[, D]).

    Raises:
        ValueError: a region that is not one of these.
    """
    if region == "foreground":
        return target.bool()
    if region == "union":
        return target.bool() | probs.argmax(dim=1, keepdim=True).bool()
    if region == "boundary":
        return mixed_neighborhood(target)
    if region == "all":
        return torch.ones_like(target, dtype=torch.bool)
    raise ValueError(f"region is {region!r}; it must be one of {REGIONS}")


def region_voxels(region: str, target: Tensor, probs: Tensor) -> list[tuple[Tensor, Tensor]]:
    """For each image the probabilities (C, N) and labels (N,) of the N voxels of a region.

    Args:
        region: one of `REGIONS`.
        target: class indices, (B, 1, H, W[, D]).
        probs: probabilities, (B, C, H, W[, D]).

    Raises:
        ValueError: a region that is not one of these.
    """
    if region == "all":
        return list(zip(probs.flatten(2), target.flatten(1), strict=True))
    places = [_places(image) for image in region_mask(region, target, probs)]
    return [
        (image.flatten(1).index_select(1, place), labels.flatten().index_select(0, place))
        for image, labels, place in zip(probs, target, places, strict=True)
    ]


def _places(mask: Tensor) -> Tensor:
    """Where a mask is true in its flat form, (N,); NumPy leaps over what is empty, and torch does not."""
    if mask.device.type == "cpu":
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return mask.flatten().nonzero().squeeze(1)


def mixed_neighborhood(target: Tensor, kernel_size: int = 3) -> Tensor:
    """Where the window around a voxel holds more than one class, (B, 1, H, W[, D]), bool.

    Args:
        target: class indices, (B, 1, H, W[, D]).
        kernel_size: side of the window in voxels, odd; what lies beyond the edge does not count.
    """
    dims = target.ndim - 2
    pool = {2: torch.nn.functional.max_pool2d, 3: torch.nn.functional.max_pool3d}[dims]
    labels = target.float()
    highest = pool(labels, kernel_size, stride=1, padding=kernel_size // 2)
    lowest = -pool(-labels, kernel_size, stride=1, padding=kernel_size // 2)
    return highest != lowest
