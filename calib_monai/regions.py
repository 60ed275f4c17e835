"""Regions: which voxels of a label map a measure looks at."""

from __future__ import annotations

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
        return target != 0
    if region == "union":
        return (target != 0) | (probs.argmax(dim=1, keepdim=True) != 0)
    if region == "boundary":
        return mixed_neighborhood(target)
    if region == "all":
        return torch.ones_like(target, dtype=torch.bool)
    raise ValueError(f"region is {region!r}; it must be one of {REGIONS}")


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
