"""Missed structures: classes that only one of prediction and label holds."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from calib_monai.metrics.imagewise import ImagewiseMetric
from calib_monai.metrics.inputs import checked_one_hot


class MissedStructuresMetric(ImagewiseMetric):
    """Number of structures that are in the label and not in the prediction, or the reverse.

    Each of them counts as a whole diagonal in `HD95Metric`, so the two are read together.
    """

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **_kwargs: Any) -> Tensor:
        """1 where exactly one of the two holds the class, else 0: (B, C - 1), the background left out.

        Args:
            y_pred: one-hot prediction, (B, C, H, W[, D]).
            y: one-hot label of that shape.

        Raises:
            ValueError: shapes that differ, or values that are not one-hot.
        """
        y_pred, y = checked_one_hot(y_pred, y)
        return (y_pred[:, 1:].flatten(2).any(dim=2) != y[:, 1:].flatten(2).any(dim=2)).double()

    def aggregate(self) -> Tensor:
        """The number over all images and classes, a scalar.

        Raises:
            ValueError: nothing was measured yet.
        """
        return self.values().sum()
