"""Fills: ignored voxels get the nearest label that is not ignored."""

from __future__ import annotations

import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor


def filled(labels: Tensor, ignored: Tensor) -> Tensor:
    """Labels in which each ignored voxel has the nearest label of its image that is not ignored.

    So the edge of ignored voxels is not a boundary. An image in which all voxels are ignored stays as it is.

    Args:
        labels: class indices, (B, 1, H, W[, D]).
        ignored: the voxels, (B, 1, H, W[, D]), bool.
    """
    return torch.stack([_filled(one, where) for one, where in zip(labels, ignored, strict=True)])


def _filled(label: Tensor, ignored: Tensor) -> Tensor:
    """`filled` of one image, (1, H, W[, D])."""
    if not ignored.any() or ignored.all():
        return label
    nearest = distance_transform_edt(ignored[0].cpu().numpy(), return_distances=False, return_indices=True)
    places = torch.from_numpy(nearest).long().to(label.device)
    return label[0][tuple(places)][None]
