"""Boundaries: the weights of voxels by their distance from the nearest boundary of a label map."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_monai.arguments import check_label_shape, check_number, check_whole

LARGEST_WIDTH = 127  # in voxels, of the weights around a boundary


def boundary_weight(target: Tensor, width: int = 10, weight_max: float = 1.0, weight_min: float = 0.01) -> Tensor:
    r"""Weight that falls linearly with the distance from the nearest boundary, (B, 1, H, W[, D]), float32.

    ```math
    w = w_{max} \max(0, R - |s|) / R + w_{min}
    ```

    R is `width`, and s is the signed distance from the nearest boundary in voxels. In a structure, |s| is the distance
    to the nearest voxel of another label, rounded down, minus 1. In the background, |s| is the distance to the nearest
    foreground, rounded up. The outermost voxels of a structure have s = 0, and the voxels beside them s = -1. This is
    the weight of BWCR (Karani et al. 2023, arXiv:2307.08163).

    Args:
        target: class indices, (B, 1, H, W[, D]), integer or float dtype; on the CPU or a GPU, where it is computed.
        width: R in voxels.
        weight_max: w_max.
        weight_min: w_min, the weight far from all boundaries.

    Raises:
        ValueError: a `target` of another shape, a `width` that is not a whole number from 1 to 127, a weight that is
            negative or not finite.

    Note:
        In the authors' code a structure that is nowhere more than 2 voxels thick has no boundary. Here it has a
        boundary.

    Examples:
        >>> boundary_weight(torch.tensor([[[[0, 0, 0, 1, 1, 1]]]]), width=2)
        tensor([[[[0.0100, 0.0100, 0.5100, 1.0100, 0.5100, 0.0100]]]])
    """
    check_boundary_weight(width, weight_max, weight_min)
    check_label_shape(target)
    labels = target.as_subclass(Tensor)
    distance = _squared_distance_to_another_label(labels, width).float().sqrt_()
    steps = torch.where(labels == 0, distance.ceil(), distance.floor().sub_(1))
    return (width - steps).clamp_(min=0).mul_(weight_max / width).add_(weight_min)


def check_boundary_weight(width: int, weight_max: float, weight_min: float) -> None:
    """Raise ValueError if `boundary_weight` could not use these arguments."""
    check_whole("width", width, 1, LARGEST_WIDTH)
    check_number("weight_max", weight_max)
    check_number("weight_min", weight_min)


def _squared_distance_to_another_label(labels: Tensor, farthest: int) -> Tensor:
    """Squared distance to the nearest voxel of another label, at most (farthest + 1)^2, in the shape of the labels.

    The search goes axis by axis. If a voxel at distance d along the axis has another label, it is a candidate itself.
    If it has the same label, its own nearest other voxel is a candidate, d^2 farther away. No axis of classes is
    needed.
    """
    limit = (farthest + 1) ** 2
    small = labels.dtype == torch.uint8 and limit + farthest**2 <= torch.iinfo(torch.uint8).max
    labels = labels if small else labels.int()
    nearest = torch.full_like(labels, limit)
    for axis in range(2, labels.ndim):
        before, size = nearest.clone(), labels.shape[axis]
        for shift in range(1, min(farthest + 1, size)):
            (low, high), (known_low, known_high), (new_low, new_high) = (
                (values.narrow(axis, 0, size - shift), values.narrow(axis, shift, size - shift))
                for values in (labels, before, nearest)
            )
            # All bits are set where the labels are the same, and none where they differ.
            same = (low != high).to(labels.dtype).sub_(1)
            torch.minimum(new_low, (known_high & same).add_(shift**2), out=new_low)
            torch.minimum(new_high, (known_low & same).add_(shift**2), out=new_high)
    return nearest
