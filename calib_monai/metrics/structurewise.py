"""Base class of metrics that compare the masks of each structure."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from calib_monai.arguments import check_whole
from calib_monai.metrics.imagewise import ImagewiseMetric
from calib_monai.metrics.masks import Mask, structure_pairs


class StructurewiseMetric(ImagewiseMetric):
    """A metric with one number per image and structure, from the masks of prediction and label.

    Args:
        overlapping: as in `HD95Metric`.
        num_classes: C, which class indices need; one-hot and masks do not.

    Raises:
        ValueError: a `num_classes` below 2.
    """

    def __init__(self, *, overlapping: bool = False, num_classes: int | None = None) -> None:
        super().__init__()
        if num_classes is not None:
            check_whole("num_classes", num_classes, 2)
        self.overlapping = overlapping
        self.num_classes = num_classes

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """The number of each class: (B, C), or (B, C - 1) without the background, float64.

        Args:
            y_pred: one-hot prediction, or masks, (B, C, H, W[, D]); class indices (B, 1, H, W[, D]) with `num_classes`.
            y: label of that shape.

        Raises:
            ValueError: shapes that differ, or values that are not one-hot.
        """
        pairs = structure_pairs(y_pred, y, overlapping=self.overlapping, num_classes=self.num_classes)
        return torch.tensor([[self._number(*masks) for masks in image] for image in pairs], dtype=torch.float64)

    @abstractmethod
    def _number(self, predicted: Mask, labeled: Mask) -> float:
        """The number of a structure, from its masks."""
