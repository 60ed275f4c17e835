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
    places = torch.stack([_nearest(one) for one in ignored[:, 0].cpu()])
    return labels.flatten(2).gather(2, places.to(labels.device).unsqueeze(1)).view_as(labels)


def _nearest(ignored: Tensor) -> Tensor:
    """The place of the nearest voxel that is not ignored, from 0 to N - 1, for each of the N voxels of an image."""
    places = torch.arange(ignored.numel())
    if not ignored.any() or ignored.all():
        return places
    nearest = distance_transform_edt(ignored.numpy(), return_distances=False, return_indices=True)
    return places.view(ignored.shape)[tuple(torch.from_numpy(nearest).long())].flatten()
