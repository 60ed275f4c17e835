"""Resampling and inverses of transforms for whole scans, in as little memory as they can do with."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from copy import deepcopy
from functools import partial
from math import prod
from typing import Any, cast

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.data.utils import AFFINE_TOL, to_affine_nd
from monai.transforms import Invertd, InvertibleTransform, MapTransform, Spacingd, SpatialResample
from monai.utils import TraceKeys, convert_to_tensor, get_torch_dtype_from_string
from torch import Tensor

Resample = Callable[[MetaTensor, Tensor, tuple[int, ...]], MetaTensor]

SLAB_VOXELS = 2**20  # that are resampled at a time: their places, and what these are computed from, take 60 MB


class InvertProbsd(MapTransform):
    """MONAI's Invertd for probabilities, class by class: beside what came and the result, one class is in memory.

    Each class is resampled on the device where it lies. The result is on the CPU, where the labels are.

    Voxels that were cropped off become background with probability 1. The inverse of a crop writes 0 for all classes
    there, so the background gets what is missing from a sum of one.

    Args:
        keys: probabilities, (C, H, W[, D]), class 0 the background.
        transform: to invert.
        orig_keys: the key that it was applied to.
        allow_missing_keys: whether keys that are not there are passed over.
    """

    def __init__(
        self,
        keys: KeysCollection,
        transform: InvertibleTransform,
        orig_keys: str,
        allow_missing_keys: bool = False,  # noqa: FBT001, FBT002 - MONAI's
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.orig_key = orig_keys
        self.invert = Invertd("one", transform, orig_keys, nearest_interp=False, to_tensor=True, device="cpu")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with the probabilities on the grid from which the transform came, on the CPU."""
        inverted = dict(data)
        for key in self.key_iterator(inverted):
            probs = convert_to_tensor(inverted[key], track_meta=True)
            inverted[key] = self._inverted(probs, inverted[self.orig_key])
        return inverted

    def _inverted(self, probs: MetaTensor, original: Any) -> MetaTensor:
        whole, besides = torch.empty(0), {}
        for index in range(len(probs)):
            one: MetaTensor = self.invert({"one": probs[index : index + 1], self.orig_key: original})["one"]
            if index == 0:
                whole, besides = one.as_tensor().new_empty((len(probs), *one.shape[1:])), _besides(one)
            whole[index] = one.as_tensor()[0]
            del one  # before the next one is made
        whole[0] += whole.sum(dim=0).neg_().add_(1).clamp_(min=0)
        return MetaTensor(whole, **besides)


class SlabSpacingd(Spacingd):
    """MONAI's Spacingd, which resamples slab by slab along the last axis, there and back.

    MONAI's holds a scan twice as float64 on the way there, 4.4 GB for a CT of 512 x 512 x 1059, and on the way back the
    place of every voxel that it writes, three float64 for each.

    Args:
        args: as of MONAI's.
        kwargs: as of MONAI's.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        given = self.spacing_transform.sp_resample
        self.spacing_transform.sp_resample = SlabResample(
            given.mode, given.padding_mode, given.align_corners, given.dtype, given.lazy
        )

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data on the grid from which they were resampled."""
        inverted = dict(data)
        for key in self.key_iterator(inverted):
            inverted[key] = inverse_by_slabs(self.spacing_transform.sp_resample, inverted[key])
        return inverted


class SlabResample(SpatialResample):
    """MONAI's SpatialResample, which takes an image of many voxels slab by slab: that differs by rounding alone."""

    def __call__(  # type: ignore[override]  # MONAI's own differs from its base's in the same way
        self, img: Any, dst_affine: Any = None, spatial_size: Any = None, **options: Any
    ) -> Any:
        """The image on another grid.

        Args:
            img: (C, H, W[, D]).
            dst_affine: of the other grid.
            spatial_size: of the other grid.
            options: as of MONAI's.
        """
        whole = cast(Resample, partial(super().__call__, **options))
        sizes = () if spatial_size is None else tuple(int(size) for size in spatial_size)
        if not isinstance(img, MetaTensor) or len(sizes) != img.ndim - 1 or options.get("lazy", self.lazy):
            return whole(img, dst_affine, spatial_size)
        return by_slabs(whole, img, dst_affine, sizes)


def by_slabs(
    resample: Resample,
    image: MetaTensor,
    affine: Tensor,
    sizes: tuple[int, ...],
    slab_voxels: int = SLAB_VOXELS,
) -> MetaTensor:
    """A linear or nearest resampling, of each slab from those layers of the image that it lies in.

    Args:
        resample: gives the whole of an image, or what it is given of one, on the grid of an affine and sizes.
        image: (C, H, W[, D]).
        affine: of the other grid.
        sizes: of the other grid, (H, W[, D]).
        slab_voxels: at most so many in a slab, here and there, or one layer of the other grid's last axis.
    """
    *layer, depth = sizes
    dims, layers = len(sizes), image.shape[-1]
    source = to_affine_nd(dims, image.affine.double())
    target = to_affine_nd(dims, affine.double())
    there = torch.linalg.solve(source, target)  # places of the other grid, in voxels of the image
    thickness = max(1, slab_voxels // max(prod(layer), prod(image.shape[1:]) // depth))
    if thickness >= depth or torch.allclose(there, torch.eye(dims + 1, dtype=there.dtype), atol=AFFINE_TOL):
        return resample(image, affine, sizes)
    whole, besides = torch.empty(0), {}
    for first in range(0, depth, thickness):
        size = (*layer, min(thickness, depth - first))
        ends = [torch.tensor([0.0, number - 1], dtype=there.dtype) for number in layer]
        ends.append(torch.tensor([first, first + size[-1] - 1], dtype=there.dtype))
        along = torch.cartesian_prod(*ends) @ there[-2, :-1] + there[-2, -1]
        begin = min(max(int(along.min().floor()) - 1, 0), layers - 1)
        end = max(min(int(along.max().ceil()) + 2, layers), begin + 1)
        part = MetaTensor(image.as_tensor()[..., begin:end], affine=source @ _moved(dims, begin))
        slab = resample(part, target @ _moved(dims, first), size)
        if first == 0:
            whole, besides = slab.as_tensor().new_empty((len(slab), *sizes)), _besides(slab)
        whole[..., first : first + thickness] = slab.as_tensor()
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
    """The inverse of a resampling, which differs from its own `inverse` by rounding alone.

    Args:
        resample: the last transform that was applied to the image.
        image: (C, H, W[, D]).
        slab_voxels: at most so many in a slab, or one layer of the last axis.
    """
    applied = image.applied_operations[-1]
    *layer, depth = (int(size) for size in applied[TraceKeys.ORIG_SIZE])
    thickness = max(1, slab_voxels // prod(layer))
    values = image.as_tensor().to(get_torch_dtype_from_string(applied[TraceKeys.EXTRA_INFO]["dtype"]))  # once for all
    whole, besides = torch.empty(0), {}
    for first in range(0, depth, thickness):
        part = MetaTensor(values, **deepcopy(_besides(image)))
        slab = part.applied_operations[-1]
        slab[TraceKeys.ORIG_SIZE] = (*layer, min(thickness, depth - first))
        moved = _moved(len(layer) + 1, first)
        slab[TraceKeys.EXTRA_INFO]["src_affine"] = slab[TraceKeys.EXTRA_INFO]["src_affine"] @ moved
        part = cast(MetaTensor, resample.inverse(part))
        if first == 0:
            whole, besides = part.as_tensor().new_empty((len(part), *layer, depth)), _besides(part)
        whole[..., first : first + thickness] = part.as_tensor()
    return MetaTensor(whole, **besides)


def _besides(image: MetaTensor) -> dict[str, Any]:
    """What an image has beside its values, as another one takes it."""
    return {"meta": image.meta, "applied_operations": image.applied_operations}
