"""What all metrics share: a row of values an image goes in, the mean over images comes out."""

from __future__ import annotations

from monai.metrics import CumulativeIterationMetric
from torch import Tensor


class ImagewiseMetric(CumulativeIterationMetric):
    """A MONAI metric of values (B, K), one row an image; NaN is a value that an image does not have."""

    def values(self) -> Tensor:
        """What was measured so far, (images, K).

        Raises:
            ValueError: nothing was.
        """
        buffer: Tensor | None = self.get_buffer()  # type: ignore[no-untyped-call]
        if buffer is None:
            raise ValueError("nothing was measured yet: call the metric before aggregate()")
        return buffer

    def aggregate(self) -> Tensor:
        """The mean over images of each image's mean, a scalar; NaN values are left out, NaN if all are.

        Raises:
            ValueError: nothing was measured yet.
        """
        return self.values().nanmean(dim=1).nanmean()
