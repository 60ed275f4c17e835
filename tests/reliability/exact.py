"""The best that probabilities can say of a label on a coarser grid: the share of each voxel that a structure fills."""

from __future__ import annotations

import nibabel
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation
from torch import Tensor

MOST_ASKEW = 1e-3  # of a voxel, by which an axis of one grid may stray from that of the other, for each voxel along it


def exact_probabilities(label: MetaTensor, grid: MetaTensor, classes: list[int]) -> Tensor:
    """Probabilities (1 + classes, H, W, D) on another grid, the background first.

    Args:
        label: (1, H, W, D), class indices, in any storage order.
        grid: (C, H, W, D), an image on the other grid, whose axes are parallel to those of the label.
        classes: of the label.

    Raises:
        ValueError: axes that are not parallel.
    """
    axcodes = "".join(nibabel.aff2axcodes(grid.affine.numpy()))
    turned = Orientation(axcodes, labels=(("L", "R"), ("P", "A"), ("I", "S")))(label)
    there = torch.linalg.solve(turned.affine.double(), grid.affine.double())
    if float((there[:3, :3] - there[:3, :3].diag().diag()).abs().max()) > MOST_ASKEW:
        raise ValueError(f"the axes of the grids are not parallel: {there.tolist()}")
    voxels = turned.as_tensor()[0]
    shares = torch.zeros(len(classes) + 1, *grid.shape[1:])
    for index, value in enumerate(classes, start=1):
        shares[index] = _filled(voxels == value, there, tuple(grid.shape[1:]))
    shares[0] = 1 - shares.sum(dim=0)
    return shares


def _filled(mask: Tensor, there: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """The share of each voxel of another grid that a mask (H, W, D) fills, computed in the box of the mask."""
    places = mask.nonzero()
    begin, end = places.amin(dim=0).tolist(), (places.amax(dim=0) + 1).tolist()
    share = mask[tuple(slice(*ends) for ends in zip(begin, end, strict=True))].float()
    for axis in range(share.ndim):
        size = there[axis, axis]  # of a voxel of the other grid, in voxels of the mask
        middle = torch.arange(sizes[axis]) * size + there[axis, 3] - begin[axis] + 0.5
        overlap = torch.stack([torch.arange(share.shape[axis]), torch.arange(share.shape[axis]) + 1]).double()
        ends = [(middle - size / 2)[:, None], (middle + size / 2)[:, None]]
        covered = (torch.minimum(ends[1], overlap[1]) - torch.maximum(ends[0], overlap[0])).clamp(min=0) / size
        share = torch.tensordot(share.movedim(axis, -1), covered.float(), dims=([-1], [1])).movedim(-1, axis)
    return share
