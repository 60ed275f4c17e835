"""95th percentile of the Hausdorff distance (HD95)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray
from torch import Tensor

from calib_monai.metrics.imagewise import ImagewiseMetric
from calib_monai.metrics.inputs import checked_one_hot
from calib_monai.metrics.surfaces import diagonal, surface_distances


class HD95Metric(ImagewiseMetric):
    """95th percentile of the distances between two surfaces, per image and class, in mm.

    The distances of both directions are pooled, then the percentile is taken, as MedPy's `hd95`
    does, which the papers report. (MONAI's is the larger of the two directed percentiles.)

    A class absent from prediction and label is NaN and left out of the mean. Absent from one of the
    two, it counts as the diagonal of the image: a missed organ is never a perfect 0, as it is in the
    authors' code. `MissedStructuresMetric` counts those.

    Args:
        include_background: whether class 0 is measured.
        spacing: size of a voxel along each axis in mm. Without it, that of `y` where it is a MONAI
            MetaTensor, else 1: the distances are then in voxels.
    """

    def __init__(self, *, include_background: bool = False, spacing: Sequence[float] | None = None) -> None:
        super().__init__()
        self.include_background = include_background
        self.spacing = spacing

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **kwargs: Any) -> Tensor:
        """Distances of each image and class, (B, C) or (B, C - 1).

        Args:
            y_pred: one-hot prediction, (B, C, H, W[, D]).
            y: one-hot label of that shape.
            kwargs: `spacing` in place of the metric's own.

        Raises:
            ValueError: shapes that differ, values that are not one-hot, or a spacing that has not one size
                an axis.
        """
        y_pred, y = checked_one_hot(y_pred, y)
        first = 0 if self.include_background else 1
        images = zip(
            _masks(y_pred, first), _masks(y, first), self._spacings(y, kwargs.get("spacing", self.spacing)), strict=True
        )
        rows = [
            [_hd95(*masks, spacing) for masks in zip(predicted, labeled, strict=True)]
            for predicted, labeled, spacing in images
        ]
        return torch.tensor(rows, dtype=torch.float64)

    @staticmethod
    def _spacings(y: Tensor, spacing: Sequence[float] | None) -> list[list[float]]:
        """Size of a voxel along each spatial axis, for each image of `y`."""
        dims = y.ndim - 2
        if spacing is not None:
            spacings = [list(spacing)] * len(y)
        elif isinstance(y, MetaTensor):
            spacings = [pixdim.tolist()[:dims] for pixdim in (y.pixdim if y.is_batch else [y.pixdim] * len(y))]
        else:
            spacings = [[1.0] * dims] * len(y)
        for sizes in spacings:
            if len(sizes) != dims:
                raise ValueError(f"spacing is {sizes}; it must have {dims} sizes, one an axis")
        return spacings


def _masks(one_hot: Tensor, first: int) -> NDArray[np.bool_]:
    """The masks of the classes from `first` on, (B, C - first, H, W[, D])."""
    return np.asarray(one_hot[:, first:].bool().cpu().numpy())


def _hd95(predicted: NDArray[np.bool_], labeled: NDArray[np.bool_], spacing: Sequence[float]) -> float:
    """HD95 of two masks in mm; NaN where both are empty, the diagonal where one is."""
    if not predicted.any() and not labeled.any():
        return float("nan")
    if not predicted.any() or not labeled.any():
        return diagonal(labeled.shape, spacing)
    return float(np.percentile(np.concatenate(surface_distances(predicted, labeled, spacing)), 95))
