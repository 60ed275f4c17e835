"""Missed structures: classes that prediction and label do not share."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from calib_monai.arguments import check_number, check_whole
from calib_monai.metrics.imagewise import ImagewiseMetric
from calib_monai.metrics.masks import Mask, structure_pairs


class MissedStructuresMetric(ImagewiseMetric):
    """Number of structures whose Dice is below a threshold, or that only one of prediction and label has.

    The threshold keeps a few voxels in the wrong place from hiding a missed organ. Read this number beside
    `HD95Metric`, in which a structure that only one has counts as a whole diagonal.

    Args:
        overlapping: as in `HD95Metric`.
        num_classes: C, which class indices need; one-hot and masks do not.
        dice_below: a structure that both have is missed where its Dice is lower; 0 counts none of these.

    Raises:
        ValueError: a `dice_below` outside 0..1, or a `num_classes` below 2.
    """

    def __init__(self, *, overlapping: bool = False, num_classes: int | None = None, dice_below: float = 0.1) -> None:
        super().__init__()
        check_number("dice_below", dice_below, 0, 1)
        if num_classes is not None:
            check_whole("num_classes", num_classes, 2)
        self.overlapping = overlapping
        self.num_classes = num_classes
        self.dice_below = dice_below

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """1 for each missed class, else 0: (B, C), or (B, C - 1) without the background.

        Args:
            y_pred: one-hot prediction, or masks, (B, C, H, W[, D]); class indices (B, 1, H, W[, D]) with `num_classes`.
            y: label of that shape.

        Raises:
            ValueError: shapes that differ, or values that are not one-hot.
        """
        pairs = structure_pairs(y_pred, y, overlapping=self.overlapping, num_classes=self.num_classes)
        return torch.tensor([[self._is_missed(*masks) for masks in image] for image in pairs], dtype=torch.float64)

    def _is_missed(self, predicted: Mask, labeled: Mask) -> bool:
        """Whether only one of prediction and label has the structure, or their Dice is too low."""
        sizes = np.count_nonzero(predicted), np.count_nonzero(labeled)
        if 0 in sizes:
            return any(sizes)
        return bool(2 * np.count_nonzero(predicted & labeled) / sum(sizes) < self.dice_below)

    def aggregate(self) -> Tensor:
        """The number over all images and classes, a scalar.

        Raises:
            ValueError: nothing was measured yet.
        """
        return self.values().sum()
