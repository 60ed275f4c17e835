"""Surfaces of binary masks and the distances between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion
from scipy.spatial import cKDTree

Mask = NDArray[np.bool_]
Distances = NDArray[np.float64]
Spacing = Sequence[float] | Sequence[Sequence[float]]  # of each axis, or the axes themselves, each a column


def surface_distances(first: Mask, second: Mask, spacing: Spacing) -> tuple[Distances, Distances]:
    """Distance of each surface voxel of one mask to the nearest of the other, both ways.

    Args:
        first: a mask with at least one voxel, (H, W[, D]).
        second: another of that shape.
        spacing: size of a voxel along each axis in mm, (dims,), or its edges, (dims, dims), a column each.

    Returns:
        Distances from the surface of `first` to that of `second`, and back, in mm.
    """
    inside = tuple(slice(low, high + 1) for low, high in _bounding_box(first | second))
    masks = first[inside], second[inside]
    return _distances(*(np.packbits(mask).tobytes() for mask in masks), masks[0].shape, _hashable(spacing))


@lru_cache(maxsize=32)
def _distances(
    first: bytes, second: bytes, shape: tuple[int, ...], spacing: tuple[float, ...] | tuple[tuple[float, ...], ...]
) -> tuple[Distances, Distances]:
    """The same of two masks in bits, remembered: HD95 and ASD ask for the distances of each pair in turn."""
    one, other = (surface(_unpacked(mask, shape)) for mask in (first, second))
    return _directed(one, other, spacing), _directed(other, one, spacing)


def _unpacked(bits: bytes, shape: tuple[int, ...]) -> Mask:
    """The mask of this shape that `np.packbits` put into bits."""
    return np.unpackbits(np.frombuffer(bits, dtype=np.uint8), count=math.prod(shape)).reshape(shape).astype(np.bool_)


def _hashable(spacing: Spacing) -> tuple[float, ...] | tuple[tuple[float, ...], ...]:
    """A spacing as tuples."""
    sizes = np.asarray(spacing, dtype=np.float64)
    return tuple(map(tuple, sizes.tolist())) if sizes.ndim > 1 else tuple(sizes.tolist())


def _placed(indices: NDArray[np.intp], spacing: Spacing) -> NDArray[np.float64]:
    """Places of voxels in mm, (N, dims)."""
    sizes = np.asarray(spacing, dtype=np.float64)
    return indices @ sizes.T if sizes.ndim > 1 else indices * sizes


def _directed(start: Mask, goal: Mask, spacing: Spacing) -> Distances:
    """Distance of each voxel of `start` to the nearest of `goal`, in mm."""
    elsewhere = _placed(np.argwhere(start & ~goal), spacing)
    distances = np.zeros(np.count_nonzero(start))  # those on both surfaces are at distance 0
    if len(elsewhere):
        tree = cKDTree(_placed(np.argwhere(goal), spacing))
        distances[: len(elsewhere)], _ = tree.query(elsewhere)
    return distances


def diagonal(shape: Sequence[int], spacing: Spacing) -> float:
    """Length of the image's longest diagonal in mm: no distance between two of its voxels is longer."""
    signs = np.array(list(product((1, -1), repeat=len(shape))))
    return float(np.linalg.norm(_placed(signs * np.asarray(shape), spacing), axis=1).max())


def surface(mask: Mask) -> Mask:
    """The voxels of a mask one of whose face neighbors, or the edge of the image, is outside."""
    inside = tuple(slice(low, high + 1) for low, high in _bounding_box(mask))
    surface = np.zeros_like(mask)
    surface[inside] = mask[inside] & ~binary_erosion(mask[inside])
    return surface


def _bounding_box(mask: Mask) -> list[tuple[int, int]]:
    """First and last index of the mask along each axis."""
    axes = range(mask.ndim)
    lines = [np.flatnonzero(mask.any(axis=tuple(other for other in axes if other != axis))) for axis in axes]
    return [(int(line[0]), int(line[-1])) for line in lines]
