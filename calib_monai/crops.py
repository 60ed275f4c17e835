"""Crops: the box of a scan that a network is trained on."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, ResizeWithPadOrCrop, SpatialCrop
from torch import Tensor

LEAST_TOLD = 0.01  # of a structure, cut off

logger = logging.getLogger(__name__)


class TrainingBoxd(MapTransform):
    """Pads and crops scans to the box that is trained on: at their center, or moved from there to hold the label.

    Along each axis the box lies where it holds most of the label's foreground, and of such places at the one nearest to
    the center. A warning says how much of a structure it cuts off, from 1 %.

    Args:
        keys: images and labels, (C, H, W[, D]), of one grid.
        slice_size: H and W of the box, voxels.
        num_slices: D of the box; -1 keeps all slices.
        label_key: the label, (1, H, W[, D]).
    """

    def __init__(
        self, keys: KeysCollection, slice_size: Sequence[int], num_slices: int = -1, label_key: str = "label"
    ) -> None:
        super().__init__(keys)
        self.spatial_size = [*slice_size, num_slices]
        self.label_key = label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data in the box."""
        boxed = dict(data)
        label = torch.as_tensor(boxed[self.label_key]).as_subclass(Tensor)
        wanted = self.spatial_size[: label.ndim - 1]
        sizes = [min(size, whole) if size > 0 else whole for size, whole in zip(wanted, label.shape[1:], strict=True)]
        starts = [best_start(layers, size) for layers, size in zip(_counts(label[0] > 0), sizes, strict=True)]
        crop = SpatialCrop(roi_start=starts, roi_end=[start + size for start, size in zip(starts, sizes, strict=True)])
        pad = ResizeWithPadOrCrop(wanted)
        for key in self.key_iterator(boxed):
            boxed[key] = pad(crop(boxed[key]))
        self._tell_lost(label, torch.as_tensor(boxed[self.label_key]).as_subclass(Tensor), str(boxed.get("case")))
        return boxed

    def _tell_lost(self, label: Tensor, kept: Tensor, case: str) -> None:
        """Warn of each structure of which much is cut off."""
        for structure in torch.unique(label[label > 0]).tolist():
            lost = 1 - int((kept == structure).sum()) / int((label == structure).sum())
            if lost >= LEAST_TOLD:
                size = " x ".join(str(size) for size in kept.shape[1:])
                message = "case %s: the box of training, %s voxels, cuts off %.0f %% of label %g"
                logger.warning(message, case, size, 100 * lost, structure)


def best_start(counts: Tensor, size: int) -> int:
    """Where a window of `size` begins that holds the most of these counts (N,), as near to the center as can be."""
    held = counts.unfold(0, size, 1).sum(dim=1)
    best = (held == held.max()).nonzero().flatten()
    center = len(counts) // 2 - size // 2
    return int(best[(best - center).abs().argmin()])


def _counts(mask: Tensor) -> list[Tensor]:
    """How many voxels of a mask are in each layer, along each of its axes."""
    return [mask.movedim(axis, 0).flatten(1).sum(dim=1) for axis in range(mask.ndim)]
