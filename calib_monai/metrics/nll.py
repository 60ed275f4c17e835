"""Negative log-likelihood (NLL)."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_monai.bins import selected
from calib_monai.metrics.calibration import CalibrationMetric


class NLLMetric(CalibrationMetric):
    """Negative log-likelihood of the labels in nats: per image, then the mean over images.

    NLL = mean over voxels of -log p_y, the cross-entropy of the probabilities.

    Args:
        region: the voxels looked at, one of `calib_monai.regions.REGIONS`.
        pooled: whether the voxels of all images are measured together, in place of the mean over images.

    Raises:
        ValueError: an unknown region.

    Note:
        A probability below the smallest normal number of its type counts as that: a certain error costs
        87 nats in float32, not infinity.
    """

    def sums(self, probs: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Sum over voxels and number of voxels of each image, (B, 1, 2)."""
        rows = []
        for image_probs, labels in selected(probs, target, mask):
            of_label = image_probs.gather(0, labels.long().unsqueeze(0)).clamp(min=torch.finfo(probs.dtype).tiny)
            total = -of_label.double().log().sum()
            rows.append(torch.stack([total, total.new_tensor(labels.numel())]))
        return torch.stack(rows).unsqueeze(1)

    def measured(self, rows: Tensor) -> Tensor:
        """NLL, (..., 1)."""
        return rows[..., 0] / rows[..., 1]
