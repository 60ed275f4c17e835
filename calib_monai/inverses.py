"""Inverses of transforms for predictions of whole scans, in as little memory as they can do with."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from copy import deepcopy
from math import prod
from typing import Any, cast

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import Invertd, InvertibleTransform, MapTransform, Spacingd, SpatialResample
from monai.utils import TraceKeys, convert_to_tensor, get_torch_dtype_from_string

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
    """MONAI's Spacingd, whose inverse resamples slab by slab along the last axis.

    MONAI's holds the place of every voxel that it writes, three float64 for each: 3.8 GB for a CT of 512 x 512 x 600.
    """

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data on the grid from which they were resampled."""
        inverted = dict(data)
        for key in self.key_iterator(inverted):
            inverted[key] = inverse_by_slabs(self.spacing_transform.sp_resample, inverted[key])
        return inverted


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
        shift = torch.eye(len(layer) + 2, dtype=torch.float64)
        shift[len(layer), -1] = first
        slab[TraceKeys.EXTRA_INFO]["src_affine"] = slab[TraceKeys.EXTRA_INFO]["src_affine"] @ shift
        part = cast(MetaTensor, resample.inverse(part))
        if first == 0:
            whole, besides = part.as_tensor().new_empty((len(part), *layer, depth)), _besides(part)
        whole[..., first : first + thickness] = part.as_tensor()
    return MetaTensor(whole, **besides)


def _besides(image: MetaTensor) -> dict[str, Any]:
    """What an image has beside its values, as another one takes it."""
    return {"meta": image.meta, "applied_operations": image.applied_operations}
