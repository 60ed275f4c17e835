"""Surfaces of binary masks and the distances between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion
from scipy.spatial import cKDTree

Mask = NDArray[np.bool_]
Distances = NDArray[np.float64]


def surface_points(mask: Mask, spacing: Sequence[float]) -> Distances:
    """Centers of the mask's surface voxels, (N, dims), in units of `spacing`.

    A voxel is on the surface where one of its face neighbors, or the edge of the image, is outside.
    """
    inside = [slice(low, high + 1) for low, high in _bounding_box(mask)]
    cropped = mask[tuple(inside)]
    surface = cropped & ~binary_erosion(cropped)
    points = np.argwhere(surface) + [part.start for part in inside]
    return points * np.asarray(spacing, dtype=np.float64)


def surface_distances(first: Mask, second: Mask, spacing: Sequence[float]) -> tuple[Distances, Distances]:
    """Distance of each surface voxel of one mask to the nearest of the other, both ways.

    Args:
        first: a mask with at least one voxel, (H, W[, D]).
        second: another of that shape.
        spacing: size of a voxel along each axis, in mm.

    Returns:
        Distances from the surface of `first` to that of `second`, and back, in mm.
    """
    points = surface_points(first, spacing), surface_points(second, spacing)
    forth, _ = cKDTree(points[1]).query(points[0])
    back, _ = cKDTree(points[0]).query(points[1])
    return np.asarray(forth), np.asarray(back)


def diagonal(shape: Sequence[int], spacing: Sequence[float]) -> float:
    """Length of the image's diagonal in mm: no distance between two of its voxels is longer."""
    return float(np.linalg.norm(np.asarray(shape) * np.asarray(spacing)))


def _bounding_box(mask: Mask) -> list[tuple[int, int]]:
    """First and last index of the mask along each axis."""
    axes = range(mask.ndim)
    lines = [np.flatnonzero(mask.any(axis=tuple(other for other in axes if other != axis))) for axis in axes]
    return [(int(line[0]), int(line[-1])) for line in lines]
