"""Slabs: resamples an image to another grid a few layers at a time, to save memory and time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from math import prod
from typing import Any, cast

import torch
from monai.data import MetaTensor
from monai.data.utils import AFFINE_TOL, to_affine_nd
from monai.transforms import SpatialResample
from monai.utils import TraceKeys, get_torch_dtype_from_string
from torch import Tensor

Resample = Callable[[MetaTensor, Tensor, tuple[int, ...]], MetaTensor]

SLAB_VOXELS = 2**20  # that are resampled at a time: their places, and what these are computed from, take 60 MB
MOST_ASKEW = 1e-3  # voxels by which an axis that is taken for parallel to another may stray from it


def by_slabs(
    resample: Resample,
    image: MetaTensor,
    affine: Tensor,
    sizes: tuple[int, ...],
    slab_voxels: int = SLAB_VOXELS,
) -> MetaTensor:
    """A linear or nearest resampling, slab by slab; each slab uses only the layers of the image around it.

    Args:
        resample: resamples an image, or a part of it, to the grid of an affine and sizes.
        image: (C, H, W[, D]).
        affine: affine of the other grid.
        sizes: sizes of the other grid, (H, W[, D]).
        slab_voxels: largest number of voxels in a slab, on both grids; a slab has at least one layer of the other grid.
    """
    *layer, depth = sizes
    dims, layers = len(sizes), image.shape[-1]
    source = to_affine_nd(dims, image.affine.double())
    target = to_affine_nd(dims, affine.double())
    there = torch.linalg.solve(source, target)  # places of the other grid, in voxels of the image
    thickness = max(1, slab_voxels // max(prod(layer), prod(image.shape[1:]) // depth))
    if thickness >= depth or torch.allclose(there, torch.eye(dims + 1, dtype=there.dtype), atol=AFFINE_TOL):
        return resample(image, affine, sizes)

    def slab(first: int, size: tuple[int, ...]) -> MetaTensor:
        ends = [torch.tensor([0.0, number - 1], dtype=there.dtype) for number in layer]
        ends.append(torch.tensor([first, first + size[-1] - 1], dtype=there.dtype))
        along = torch.cartesian_prod(*ends) @ there[-2, :-1] + there[-2, -1]
        begin = min(max(int(along.min().floor()) - 1, 0), layers - 1)
        end = max(min(int(along.max().ceil()) + 2, layers), begin + 1)
        part = MetaTensor(image.as_tensor()[..., begin:end], affine=source @ _moved(dims, begin))
        return resample(part, target @ _moved(dims, first), size)

    whole, besides = _joined(slab, image.as_tensor(), there, sizes, thickness)
    applied = besides["applied_operations"][-1]
    applied[TraceKeys.ORIG_SIZE] = tuple(image.shape[1:])
    applied[TraceKeys.EXTRA_INFO]["src_affine"] = source
    moved = MetaTensor(whole, meta=dict(image.meta), applied_operations=[*image.applied_operations, applied])
    moved.affine = image.affine @ to_affine_nd(len(image.affine) - 1, there)
    return moved


def _moved(dims: int, layers: int) -> Tensor:
    """An affine that moves by some layers along the last axis."""
    shift = torch.eye(dims + 1, dtype=torch.float64)
    shift[dims - 1, -1] = layers
    return shift


def inverse_by_slabs(resample: SpatialResample, image: MetaTensor, slab_voxels: int = SLAB_VOXELS) -> MetaTensor:
    """The inverse of a resampling, which differs from MONAI's `inverse` only by rounding.

    Args:
        resample: the last transform that was applied to the image.
        image: (C, H, W[, D]).
        slab_voxels: at most so many in a slab, or one layer of the last axis.
    """
    applied = image.applied_operations[-1]
    info = applied[TraceKeys.EXTRA_INFO]
    sizes = tuple(int(size) for size in applied[TraceKeys.ORIG_SIZE])
    there = torch.linalg.solve(to_affine_nd(len(sizes), image.affine.double()), info["src_affine"])
    values = image.as_tensor()
    if not _is_straight(there, sizes, info):
        values = values.to(get_torch_dtype_from_string(info["dtype"]))  # once for all slabs

    def slab(first: int, size: tuple[int, ...]) -> MetaTensor:
        part = MetaTensor(values, **deepcopy(beside_values(image)))
        applied = part.applied_operations[-1]
        applied[TraceKeys.ORIG_SIZE] = size
        applied[TraceKeys.EXTRA_INFO]["src_affine"] = info["src_affine"] @ _moved(len(sizes), first)
        return cast(MetaTensor, resample.inverse(part))

    whole, besides = _joined(slab, values, there, sizes, max(1, slab_voxels // prod(sizes[:-1])), info)
    return MetaTensor(whole, **besides)


def _joined(
    slab: Callable[[int, tuple[int, ...]], MetaTensor],
    values: Tensor,
    there: Tensor,
    sizes: tuple[int, ...],
    thickness: int,
    info: Mapping[Any, Any] | None = None,
) -> tuple[Tensor, dict[str, Any]]:
    """An image that is made slab by slab, and what the first slab has beside its values.

    Args:
        slab: of these first layers and size, resampled by MONAI. Where axes are parallel it makes the first one alone.
        values: that are resampled, (C, H, W[, D]).
        there: places of the other grid, in voxels of the values.
        sizes: of the other grid, (H, W[, D]).
        thickness: layers of a slab.
        info: how MONAI resamples; None where the first slab says it.
    """
    *layer, depth = sizes
    begun = slab(0, (*layer, min(thickness, depth)))
    whole = begun.as_tensor().new_empty((len(begun), *sizes))
    whole[..., :thickness] = begun.as_tensor()
    info = info or begun.applied_operations[-1][TraceKeys.EXTRA_INFO]
    straight = _is_straight(there, sizes, info)
    for first in range(thickness, depth, thickness):
        size = (*layer, min(thickness, depth - first))
        moved = there @ _moved(len(sizes), first)
        whole[..., first : first + thickness] = (
            along_axes(values, moved, size, info["mode"]) if straight else slab(first, size).as_tensor()
        )
    return whole, beside_values(begun)


def _is_straight(there: Tensor, sizes: tuple[int, ...], info: Mapping[Any, Any]) -> bool:
    """Whether two grids have parallel axes, and values are looked up as `along_axes` does."""
    strays = (there[:-1, :-1].abs() * (torch.tensor(sizes) - 1)).fill_diagonal_(0).sum(dim=1)
    known = info["mode"] in ("bilinear", "nearest") and info["padding_mode"] == "border"
    return known and bool((strays <= MOST_ASKEW).all())


def along_axes(values: Tensor, there: Tensor, sizes: tuple[int, ...], mode: str) -> Tensor:
    """Values on another grid with parallel axes, looked up along one axis after the other, the last one first.

    Args:
        values: (C, H, W[, D]). Outside of them the nearest one counts.
        there: places of the other grid, in voxels of the values; only its diagonal and its last column count.
        sizes: of the other grid, (H, W[, D]).
        mode: "bilinear" or "nearest".
    """
    for axis in reversed(range(len(sizes))):
        last = values.shape[axis + 1] - 1
        places = (torch.arange(sizes[axis], dtype=there.dtype) * there[axis, axis] + there[axis, -1]).clamp(0, last)
        if mode == "nearest":
            values = values.index_select(axis + 1, places.round().long().to(values.device))
            continue
        lower = places.floor().long()
        share = (places - lower).float().view(-1, *[1] * (len(sizes) - 1 - axis)).to(values.device)
        near, far = (
            values.index_select(axis + 1, index.to(values.device)).float()
            for index in (lower, (lower + 1).clamp(max=last))
        )
        values = near.lerp_(far, share)
    return values


def beside_values(image: MetaTensor) -> dict[str, Any]:
    """The metadata and the applied operations of an image, as the arguments of another one."""
    return {"meta": image.meta, "applied_operations": image.applied_operations}
