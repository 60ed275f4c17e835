"""Base class for surface distances: masks of each class come in, distances in mm go out."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from monai.data import MetaTensor
from torch import Tensor

from calib_monai.arguments import check_whole
from calib_monai.grids import SPATIAL_DIMS, is_sheared
from calib_monai.metrics.imagewise import ImagewiseMetric
from calib_monai.metrics.masks import Mask, label_of, structure_pairs
from calib_monai.metrics.surfaces import Spacing, diagonal, surface


class SurfaceMetric(ImagewiseMetric):
    """A distance between the surfaces of prediction and label, per image and class, in mm.

    A class that both lack is NaN and left out of the mean. A class that only one lacks counts as the diagonal of the
    image, so a missed organ never scores a perfect 0. In the authors' code it does. `MissedStructuresMetric` counts
    these classes.

    Args:
        include_background: whether class 0 is measured.
        spacing: size of a voxel along each axis in mm. Without it, that of each image of `y` where this is a MONAI
            MetaTensor, else 1: the distances are then in voxels. The axes of a volume need not be at right angles. An
            image of two axes has the first two sizes of its affine: give `spacing` for another slice of a volume.
        overlapping: whether the channels are masks that may overlap, none of them the background, as BraTS's TC, WT and
            ET, which MONAI's ConvertToMultiChannelBasedOnBratsClassesd makes.
        num_classes: C, which class indices need; one-hot and masks do not.

    Raises:
        ValueError: a `num_classes` below 2.
    """

    more_is_better: ClassVar[bool | None] = False

    def __init__(
        self,
        *,
        include_background: bool = False,
        spacing: Sequence[float] | None = None,
        overlapping: bool = False,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        if num_classes is not None:
            check_whole("num_classes", num_classes, 2)
        self.include_background = include_background
        self.spacing = spacing
        self.overlapping = overlapping
        self.num_classes = num_classes

    @abstractmethod
    def distance(self, predicted: Mask, labeled: Mask, spacing: Spacing) -> float:
        """The distance in mm of two surfaces.

        Args:
            predicted: surface of the prediction, (H, W[, D]), at least one voxel.
            labeled: surface of the label, in the same box.
            spacing: size of a voxel along each axis in mm, or the axes themselves, each a column.
        """

    def _compute_tensor(  # type: ignore[override] # a misspelled argument is no spacing
        self, y_pred: Tensor, y: Tensor | None = None, spacing: Sequence[float] | None = None
    ) -> Tensor:
        """Distances of each image and class, (B, C), or (B, C - 1) without the background.

        Args:
            y_pred: one-hot prediction, or masks, (B, C, H, W[, D]); class indices (B, 1, H, W[, D]) with `num_classes`.
            y: label of that shape.
            spacing: replaces the metric's own.

        Raises:
            ValueError: shapes that differ, values that are not one-hot, a spacing that has not one size an axis,
                above 0, or images that were stacked and have lost their affines.
        """
        pairs = structure_pairs(
            y_pred,
            y,
            overlapping=self.overlapping,
            include_background=self.include_background,
            num_classes=self.num_classes,
        )
        spacings = _spacings(label_of(y_pred, y), self.spacing if spacing is None else spacing)
        rows = [
            [self._measured(*masks, spacing, y_pred.shape[2:]) for masks in image]
            for image, spacing in zip(pairs, spacings, strict=True)
        ]
        return torch.tensor(rows, dtype=torch.float64)

    def _measured(self, predicted: Mask, labeled: Mask, spacing: Spacing, shape: Sequence[int]) -> float:
        """The distance of two masks in mm; NaN where both are empty, the image's diagonal where one is."""
        if not predicted.any() and not labeled.any():
            return float("nan")
        if not predicted.any() or not labeled.any():
            return diagonal(shape, spacing)
        return self.distance(surface(predicted), surface(labeled), spacing)


def _spacings(y: Tensor, spacing: Sequence[float] | None) -> list[Spacing]:
    """Voxel sizes along each spatial axis for each image of `y`, or the axes if they are not at right angles."""
    dims = y.ndim - 2
    if spacing is None and isinstance(y, MetaTensor):
        if len(y) > 1 and not y.is_batch:
            raise ValueError(
                f"y is {len(y)} images with one affine, as torch.stack leaves them; give lists of images, a batch of "
                "MONAI's list_data_collate, or spacing"
            )
        affines = y.affine.cpu().double().numpy()
        pixdims = [pixdim.tolist()[:dims] for pixdim in (y.pixdim if y.is_batch else [y.pixdim])]
        found = list(zip(pixdims, affines if y.is_batch else [affines], strict=True))
    elif spacing is None:
        return [[1.0] * dims] * len(y)
    elif hasattr(spacing, "__iter__") and not isinstance(spacing, str):
        found = [([float(size) for size in spacing], np.eye(dims + 1))] * len(y)
    else:
        raise ValueError(f"spacing is {spacing!r}; it must have {dims} sizes, one an axis")
    for given, _ in found:
        if len(given) != dims:
            raise ValueError(f"spacing is {given}; it must have {dims} sizes, one an axis")
        if not all(math.isfinite(size) and size > 0 for size in given):
            raise ValueError(f"spacing is {given}; sizes are finite and above 0 mm")
    return [
        affine[:3, :3].tolist() if dims == SPATIAL_DIMS and is_sheared(affine) else sizes for sizes, affine in found
    ]
