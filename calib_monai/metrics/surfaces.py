"""Surfaces of binary masks and the distances between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion
from scipy.spatial import KDTree

from calib_monai.metrics.masks import Mask, bounding_box

Distances = NDArray[np.float64]
Spacing = Sequence[float] | Sequence[Sequence[float]]  # of each axis, or the axes themselves, each a column


def surface(mask: Mask) -> Mask:
    """The voxels of a mask that touch, with a face, a voxel outside the mask or the edge of the image."""
    inside = bounding_box(mask)
    surface = np.zeros_like(mask)
    surface[inside] = mask[inside] & ~binary_erosion(mask[inside])
    return surface


def directed_distances(start: Mask, goal: Mask, spacing: Spacing) -> Distances:
    """Distance from each voxel of a surface to the nearest voxel of another surface, in no order.

    Args:
        start: a surface, (H, W[, D]).
        goal: another of that shape, with at least one voxel.
        spacing: size of a voxel along each axis in mm, (dims,), or its edges, (dims, dims), a column each.

    Returns:
        Distances in mm, one for each voxel of `start`.
    """
    elsewhere = _placed(np.argwhere(start & ~goal), spacing)
    found = np.zeros(np.count_nonzero(start))  # those on both surfaces are at distance 0
    if len(elsewhere):
        found[: len(elsewhere)], _ = KDTree(_placed(np.argwhere(goal), spacing)).query(elsewhere)
    return found


def diagonal(shape: Sequence[int], spacing: Spacing) -> float:
    """Length of the image's longest diagonal in mm: no distance between two of its voxels is longer."""
    signs = np.array(list(product((1, -1), repeat=len(shape))))
    return float(np.linalg.norm(_placed(signs * np.asarray(shape), spacing), axis=1).max())


def _placed(indices: NDArray[np.intp], spacing: Spacing) -> NDArray[np.float64]:
    """Places of voxels in mm, (N, dims)."""
    sizes = np.asarray(spacing, dtype=np.float64)
    return indices @ sizes.T if sizes.ndim > 1 else indices * sizes
