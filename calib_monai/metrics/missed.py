"""Missed structures: classes that prediction and label do not share."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from monai.utils import MetricReduction
from torch import Tensor

from calib_monai.arguments import check_number
from calib_monai.metrics.masks import Mask
from calib_monai.metrics.structurewise import StructurewiseMetric


class MissedStructuresMetric(StructurewiseMetric):
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

    more_is_better: ClassVar[bool | None] = False

    def __init__(self, *, overlapping: bool = False, num_classes: int | None = None, dice_below: float = 0.1) -> None:
        super().__init__(overlapping=overlapping, num_classes=num_classes)
        check_number("dice_below", dice_below, 0, 1)
        self.dice_below = dice_below

    def _number(self, predicted: Mask, labeled: Mask) -> float:
        """1 if only one of prediction and label has the structure, or if their Dice is too low; else 0."""
        sizes = np.count_nonzero(predicted), np.count_nonzero(labeled)
        if 0 in sizes:
            return float(any(sizes))
        return float(2 * np.count_nonzero(predicted & labeled) / sum(sizes) < self.dice_below)

    def aggregate(self, reduction: MetricReduction | str | None = None) -> Tensor:
        """The number over all images and classes, a scalar.

        Args:
            reduction: another one, as in `ImagewiseMetric.aggregate`.

        Raises:
            ValueError: nothing was measured yet, or an unknown reduction.
        """
        return self.values().sum() if reduction is None else super().aggregate(reduction)
