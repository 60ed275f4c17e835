"""Volume difference: how much larger or smaller each predicted structure is than the label's."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from calib_monai.arguments import check_whole
from calib_monai.metrics.imagewise import ImagewiseMetric
from calib_monai.metrics.masks import Mask, structure_pairs


class VolumeDifferenceMetric(ImagewiseMetric):
    """Relative volume difference per image and class but the background; then the mean over images.

    (predicted - true) / true, both in voxels: -0.1 is a structure that is predicted 10 % too small. NaN where the label
    does not have the class. MONAI's `AbsoluteVolumeDifferenceMetric` has no sign, so it does not tell a structure that
    is always too small from one that is sometimes too large.

    Args:
        overlapping: as in `HD95Metric`.
        num_classes: C, which class indices need; one-hot and masks do not.

    Raises:
        ValueError: a `num_classes` below 2.
    """

    more_is_better = None

    def __init__(self, *, overlapping: bool = False, num_classes: int | None = None) -> None:
        super().__init__()
        if num_classes is not None:
            check_whole("num_classes", num_classes, 2)
        self.overlapping = overlapping
        self.num_classes = num_classes

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """Relative differences (B, C), or (B, C - 1) without the background, float64.

        Args:
            y_pred: one-hot prediction, or masks, (B, C, H, W[, D]); class indices (B, 1, H, W[, D]) with `num_classes`.
            y: label of that shape.

        Raises:
            ValueError: shapes that differ, or values that are not one-hot.
        """
        pairs = structure_pairs(y_pred, y, overlapping=self.overlapping, num_classes=self.num_classes)
        return torch.tensor([[_difference(*masks) for masks in image] for image in pairs], dtype=torch.float64)


def _difference(predicted: Mask, labeled: Mask) -> float:
    """The relative difference in size of two masks, NaN if the label's is empty."""
    true = np.count_nonzero(labeled)
    return (np.count_nonzero(predicted) - true) / true if true else float("nan")
