"""Negative log-likelihood (NLL)."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_monai.arguments import check_share
from calib_monai.metrics.calibration import ScoreMetric
from calib_monai.regions import Region

TINY = torch.finfo(torch.float32).tiny  # the smallest normal number: it costs 87 nats


class NLLMetric(ScoreMetric):
    """Negative log-likelihood of the labels in nats, per image, then averaged over images.

    NLL = mean over voxels of -log p_y, the cross-entropy of the probabilities.

    Args:
        region: the measured voxels: one of `calib_monai.regions`, or its name; by default "all": there all networks are
            measured on the same voxels.
        pooled: measure the voxels of all images together, instead of averaging over images.
        ignore_index: a label whose voxels are in no region.
        least: a lower probability counts as this number. It should be half of the step in which probabilities were
            rounded, such as 1 / 510 for bytes: what is stored as 0 was not 0. By default it is half of the smallest
            float16 (3e-8) for probabilities of this type, else the smallest normal number of float32: a certain error
            costs 87 nats, not infinity.

    Raises:
        ValueError: an unknown region, or a `least` that does not lie between 0 and 1.
    """

    def __init__(
        self,
        *,
        region: str | Region = "all",
        pooled: bool = False,
        ignore_index: int | None = None,
        least: float | None = None,
    ) -> None:
        super().__init__(region=region, pooled=pooled, ignore_index=ignore_index)
        if least is not None:
            check_share("least", least)
        self.least = least

    def total(self, probs: Tensor, of_label: Tensor) -> Tensor:  # noqa: ARG002 - the label's alone count
        """Sum over voxels of -log p_y, a scalar."""
        least = self.least
        if least is None:
            stored = torch.finfo(of_label.dtype)
            least = max(TINY, stored.smallest_normal * stored.eps / 2)  # of half precision, the latter
        return -of_label.double().clamp(min=least).log().sum()
