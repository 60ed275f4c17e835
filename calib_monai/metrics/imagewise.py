"""Base class of all metrics: it keeps a row for each image and averages over images."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from monai.metrics import CumulativeIterationMetric, do_metric_reduction
from monai.utils import MetricReduction
from torch import Tensor

from calib_monai.metrics.inputs import check_lists


class ImagewiseMetric(CumulativeIterationMetric):
    """A MONAI metric that keeps one row for each image, gathered over processes.

    `measured` turns the rows into values (images, K). A value that an image does not have is NaN. Rows are kept on the
    CPU, and so is what `values` and `aggregate` give.

    Attributes:
        more_is_better: whether a higher value is better, None if neither a higher nor a lower one is. A training that
            would keep the model with the highest error is refused.
    """

    more_is_better: ClassVar[bool | None] = None

    def __call__(self, y_pred: Any, y: Any = None, **kwargs: Any) -> Tensor:
        """Measure these images; return their values (B, K), and keep them.

        Args:
            y_pred: prediction, a batch (B, C, H, W[, D]) or a list of (C, H, W[, D]).
            y: label, in the same form.
            kwargs: further arguments of the metric.

        Raises:
            ValueError: lists that are not of one length, or what the metric refuses.
        """
        check_lists(y_pred, y)
        rows = super().__call__(y_pred=y_pred, y=y, **kwargs)
        return self.measured(torch.as_tensor(rows))

    def extend(self, *data: Any) -> None:
        """Keep the rows of more images; they are kept on the CPU, because images may come from any device."""
        super().extend(*(one.cpu() if isinstance(one, Tensor) else one for one in data))

    def rows(self) -> Tensor:
        """The rows of all images of all processes, (images, ...).

        Raises:
            ValueError: nothing was measured yet.
        """
        rows: Tensor | None = super().get_buffer()  # type: ignore[no-untyped-call]
        if rows is None:
            raise ValueError("nothing was measured yet: call the metric before aggregate()")
        return rows

    def measured(self, rows: Tensor) -> Tensor:
        """Values (..., K) computed from rows; by default the rows themselves."""
        return rows

    def values(self) -> Tensor:
        """The values of all images so far, (images, K).

        Raises:
            ValueError: nothing was measured yet.
        """
        return self.measured(self.rows())

    def get_buffer(self) -> Tensor | None:
        """The values, which MONAI's handlers keep as details; None if nothing was measured."""
        return None if self._buffers is None else self.values()

    def aggregate(self, reduction: MetricReduction | str | None = None) -> Tensor:
        """The mean over images of each image's mean, a scalar, or what another reduction makes of the values.

        Args:
            reduction: MONAI's, such as "mean_batch" for a mean over images of each column, (K,). NaN values are left
                out, and what is made of none is NaN, where MONAI's own metrics give 0.

        Raises:
            ValueError: nothing was measured yet, or an unknown reduction.
        """
        if reduction is None:
            return self.values().nanmean(dim=1).nanmean()
        reduced, known = map(torch.as_tensor, do_metric_reduction(self.values(), reduction))
        return reduced.masked_fill(known == 0, torch.nan)
