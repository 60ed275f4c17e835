"""Affine maps: one for each image of a batch, its resampling, and the mask of exactly recovered pixels.

All slices of a volume, which lie along its last axis, move by the same map.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

IMAGE_DIMS = 4  # batch, channel, height, width
TOLERANCE = 5e-5  # of a pixel: a place this far outside counts as inside, because float32 is not exact


def affine_matrices(rotation: Tensor, translation: Tensor, scale: Tensor, shear: Tensor) -> Tensor:
    """Matrices that take a place in an image to its place in the view, (B, 3, 3), float64, on the CPU.

    A place is (x, y, 1) in pixels from the center of the image, x along W and y along H. It is sheared
    along x, then along y, scaled, rotated and moved.

    Args:
        rotation: angles in degrees, from the x axis to the y axis, (B,).
        translation: (x, y) in pixels, (B, 2).
        scale: factors, (B,); above 1 the view is larger.
        shear: angles (x, y) in degrees by which the y axis and the x axis lean, (B, 2).
    """
    angle, (shear_x, shear_y) = rotation.double().deg2rad(), -shear.double().deg2rad().tan().T
    one, zero = torch.ones_like(angle), torch.zeros_like(angle)
    rotated = _matrices([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
    sheared = _matrices([[one, zero], [shear_y, one]]) @ _matrices([[one, shear_x], [zero, one]])
    matrices = torch.eye(3, dtype=torch.float64).repeat(len(angle), 1, 1)
    matrices[:, :2, :2] = scale.double().view(-1, 1, 1) * rotated @ sheared
    matrices[:, :2, 2] = translation
    return matrices


def warp(images: Tensor, matrices: Tensor, mode: str = "bilinear") -> Tensor:
    """Images resampled by their maps, of the same size, (B, C, H, W[, D]); pixels from outside the image are 0.

    Args:
        images: (B, C, H, W[, D]), float32 or float64, H and W above 1.
        matrices: (B, 3, 3), from `affine_matrices`. Their inverses take the view back to the image.
        mode: "bilinear" or "nearest".
    """
    channels = images if images.ndim == IMAGE_DIMS else images.movedim(-1, 2).flatten(1, 2)  # of all slices
    with torch.autocast(images.device.type, enabled=False):
        warped = grid_sample(channels, _sources(images, matrices), mode=mode, align_corners=True)
    return warped if images.ndim == IMAGE_DIMS else torch.unflatten(warped, 1, (images.shape[1], -1)).movedim(2, -1)


def recovered(images: Tensor, matrices: Tensor) -> Tensor:
    """Mask of the pixels that survive the way to the view and back, (B, 1, H, W[, D]), bool.

    In such a pixel each of the two bilinear interpolations has all of its neighbors, in the view and in the image.

    Args:
        images: (B, C, H, W[, D]); only size and device matter.
        matrices: (B, 3, 3), maps from the image to the view.
    """
    single = (images[:, :1] if images.ndim == IMAGE_DIMS else images[:, :1, ..., 0]).float()
    within = 1 + TOLERANCE * 2 / max(images.shape[2:4])
    x, y = _sources(single, matrices).abs().unbind(dim=-1)
    known = (torch.maximum(x, y) <= within).unsqueeze(1)
    both = warp(known.float(), matrices.inverse()) >= 1 - TOLERANCE
    return both if images.ndim == IMAGE_DIMS else both.unsqueeze(-1).expand(*both.shape, images.shape[-1])


def _sources(images: Tensor, matrices: Tensor) -> Tensor:
    """The place in the image of each pixel of the view, -1 to 1 along x and y, (B, H, W, 2)."""
    height, width = images.shape[2:4]
    to_unit = torch.tensor([2 / (width - 1), 2 / (height - 1), 1.0], dtype=torch.float64)
    unit = (to_unit.view(3, 1) * matrices.inverse() / to_unit)[:, :2]
    with torch.autocast(images.device.type, enabled=False):
        return affine_grid(unit.to(images, non_blocking=True), list(images.shape[:4]), align_corners=True)


def _matrices(rows: list[list[Tensor]]) -> Tensor:
    """A matrix for each image, (B, rows, columns), from entries (B,)."""
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
