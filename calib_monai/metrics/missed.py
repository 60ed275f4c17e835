"""Missed structures: classes that only one of prediction and label holds."""

from __future__ import annotations

from torch import Tensor

from calib_monai.metrics.imagewise import ImagewiseMetric
from calib_monai.metrics.inputs import checked_masks


class MissedStructuresMetric(ImagewiseMetric):
    """Number of structures that are in the label and not in the prediction, or the reverse.

    Each of them counts as a whole diagonal in `HD95Metric`, so the two are read together.

    Args:
        overlapping: as in `HD95Metric`.
    """

    def __init__(self, *, overlapping: bool = False) -> None:
        super().__init__()
        self.overlapping = overlapping

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """1 where exactly one of the two holds the class, else 0: (B, C), or (B, C - 1) without the background.

        Args:
            y_pred: one-hot prediction, or masks, (B, C, H, W[, D]).
            y: label of that shape.

        Raises:
            ValueError: shapes that differ, or values that are not one-hot.
        """
        y_pred, y = checked_masks(y_pred, y, overlapping=self.overlapping)
        first = 0 if self.overlapping else 1
        return (y_pred[:, first:].flatten(2).any(dim=2) != y[:, first:].flatten(2).any(dim=2)).double()

    def aggregate(self) -> Tensor:
        """The number over all images and classes, a scalar.

        Raises:
            ValueError: nothing was measured yet.
        """
        return self.values().sum()
