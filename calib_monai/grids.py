"""Grids: where the voxels of a volume lie, and how far two volumes lie apart."""

from __future__ import annotations

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray
from torch import Tensor

SPATIAL_DIMS = 3  # of a volume
FLAT = 1e-3  # of a voxel's volume to that of a box with its edges: less is no volume
SMALLEST, LARGEST, FARTHEST = 1e-6, 1e4, 1e7  # mm: size of a voxel, and place of the first one
SQUARE = 1e-3  # cosine of the angle between two axes, up to which they are at right angles


def check_affine(name: str, affine: Tensor | NDArray[np.float64]) -> None:
    """Raise ValueError if an affine is not finite, has voxels of no possible size or place, or axes in one plane.

    Args:
        name: name of the file.
        affine: (N + 1, N + 1), in mm.
    """
    matrix = np.asarray(affine, dtype=np.float64)
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} has an affine with values that are NaN or infinite; it does not say where it lies")
    axes = matrix[:-1, :-1]
    edges = np.linalg.norm(axes, axis=0)
    if not edges.all():
        raise ValueError(f"{name} has an affine with voxels of {_sizes(edges)} mm; each size must be above 0")
    if edges.min() < SMALLEST or edges.max() > LARGEST:
        raise ValueError(
            f"{name} has an affine with voxels of {_sizes(edges)} mm; each size must lie between {SMALLEST:g} and "
            f"{LARGEST:g}"
        )
    if np.abs(matrix[:-1, -1]).max() > FARTHEST:
        raise ValueError(f"{name} has an affine that places it {np.abs(matrix[:-1, -1]).max():.3g} mm away from 0")
    if abs(np.linalg.det(axes / edges)) < FLAT:
        raise ValueError(f"{name} has an affine whose axes lie in one plane; it does not say where its voxels lie")


def is_sheared(affine: Tensor | NDArray[np.float64]) -> bool:
    """Whether axes of a grid are not at right angles."""
    axes = np.asarray(affine, dtype=np.float64)[:-1, :-1]
    directions = axes / np.linalg.norm(axes, axis=0)
    return bool(np.abs(directions.T @ directions - np.eye(len(axes))).max() > SQUARE)


def distance_of_grids(one: Tensor, other: Tensor) -> float:
    """The largest distance between equal corners of two volumes of the same shape, in mm; 0 if one has no affine.

    Args:
        one: (C, H, W[, D]).
        other: (C, H, W[, D]).
    """
    if not isinstance(one, MetaTensor) or not isinstance(other, MetaTensor):
        return 0.0
    dims = one.ndim - 1
    ends = [torch.tensor([0.0, size - 1], dtype=torch.float64) for size in one.shape[1:]]
    corners = torch.cartesian_prod(*ends).reshape(-1, dims)
    difference = (one.affine - other.affine).double()[:-1]
    apart = corners @ difference[:, :dims].T + difference[:, -1]
    return float(apart.norm(dim=1).max())


def half_a_voxel(volume: Tensor) -> float:
    """Half the smallest edge of a voxel in mm."""
    return float(volume.pixdim.min()) / 2 if isinstance(volume, MetaTensor) else 0.5


def _sizes(edges: NDArray[np.float64]) -> str:
    return " x ".join(f"{size:g}" for size in edges)
