"""Negative log-likelihood (NLL)."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_monai.metrics.calibration import ScoreMetric


class NLLMetric(ScoreMetric):
    """Negative log-likelihood of the labels in nats, per image, then averaged over images.

    NLL = mean over voxels of -log p_y, the cross-entropy of the probabilities.

    Args:
        region: the measured voxels: one of `calib_monai.regions`, or its name; by default "all": there all networks are
            measured on the same voxels.
        pooled: measure the voxels of all images together, instead of averaging over images.
        ignore_index: a label whose voxels are in no region.

    Raises:
        ValueError: an unknown region.

    Note:
        A probability below the smallest normal number of float32 counts as this number, whatever its type. A certain
        error therefore costs 87 nats, not infinity.
    """

    def total(self, probs: Tensor, of_label: Tensor) -> Tensor:  # noqa: ARG002 - the label's alone count
        """Sum over voxels of -log p_y, a scalar."""
        return -of_label.double().clamp(min=torch.finfo(torch.float32).tiny).log().sum()
