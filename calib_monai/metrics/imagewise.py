"""What all metrics share: a row an image goes in, the mean over images comes out."""

from __future__ import annotations

from typing import Any

import torch
from monai.metrics import CumulativeIterationMetric
from torch import Tensor

from calib_monai.metrics.inputs import check_lists


class ImagewiseMetric(CumulativeIterationMetric):
    """A MONAI metric with one row for each image, gathered over processes.

    From the rows come values (images, K); NaN is a value that an image does not have.
    """

    def __call__(self, y_pred: Any, y: Any = None, **kwargs: Any) -> Tensor:
        """The values of these images, (B, K), which are kept too.

        Args:
            y_pred: prediction, a batch (B, C, H, W[, D]) or a list of (C, H, W[, D]).
            y: label, likewise.
            kwargs: what a metric takes besides.

        Raises:
            ValueError: lists that are not of one length, or what the metric refuses.
        """
        check_lists(y_pred, y)
        rows = super().__call__(y_pred=y_pred, y=y, **kwargs)
        return self.measured(torch.as_tensor(rows))

    def rows(self) -> Tensor:
        """What was kept of each image of all processes, (images, ...).

        Raises:
            ValueError: nothing was.
        """
        rows: Tensor | None = super().get_buffer()  # type: ignore[no-untyped-call]
        if rows is None:
            raise ValueError("nothing was measured yet: call the metric before aggregate()")
        return rows

    def measured(self, rows: Tensor) -> Tensor:
        """Values (..., K) of rows; here a row is its values."""
        return rows

    def values(self) -> Tensor:
        """What was measured so far, (images, K).

        Raises:
            ValueError: nothing was.
        """
        return self.measured(self.rows())

    def get_buffer(self) -> Tensor | None:
        """The values, which MONAI's handlers keep as details; None where nothing was measured."""
        return None if self._buffers is None else self.values()

    def aggregate(self) -> Tensor:
        """The mean over images of each image's mean, a scalar; NaN values are left out, NaN if all are.

        Raises:
            ValueError: nothing was measured yet.
        """
        return self.values().nanmean(dim=1).nanmean()
