"""Negative log-likelihood (NLL)."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_monai.metrics.calibration import ScoreMetric


class NLLMetric(ScoreMetric):
    """Negative log-likelihood of the labels in nats: per image, then the mean over images.

    NLL = mean over voxels of -log p_y, the cross-entropy of the probabilities.

    Args:
        region: the voxels looked at: one of `calib_monai.regions`, or its name.
        pooled: whether the voxels of all images are measured together, in place of the mean over images.
        ignore_index: label of voxels that are in no region, where labels are class indices.

    Raises:
        ValueError: an unknown region.

    Note:
        A probability below the smallest normal number of its type counts as that: a certain error costs
        87 nats in float32, not infinity.
    """

    def total(self, probs: Tensor, of_label: Tensor) -> Tensor:  # noqa: ARG002 - the label's alone count
        """Sum over voxels of -log p_y, a scalar."""
        return -of_label.double().clamp(min=torch.finfo(torch.float32).tiny).log().sum()
