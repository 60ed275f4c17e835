"""Brier score."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_monai.bins import selected
from calib_monai.metrics.calibration import CalibrationMetric


class BrierMetric(CalibrationMetric):
    """Squared distance of the probabilities from the label, 0 to 2: per image, then the mean over images.

    BS = mean over voxels of sum_k (p_k - [k = y])^2; Brier 1950, Eq. 2. It is small only where a
    network is both right and well calibrated.

    Args:
        region: the voxels looked at, one of `calib_monai.regions.REGIONS`.
        pooled: whether the voxels of all images are measured together, in place of the mean over images.

    Raises:
        ValueError: an unknown region.

    Note:
        CRaC's code compares with the shares of the classes in the neighborhood; here it is the label.
    """

    def sums(self, probs: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Sum of the squares and number of voxels of each image, (B, 1, 2)."""
        rows = []
        for image_probs, labels in selected(probs, target, mask):
            of_label = image_probs.gather(0, labels.long().unsqueeze(0)).double()
            # sum_k (p_k - [k = y])^2 = sum_k p_k^2 - 2 p_y + 1
            squares = image_probs.double().square().sum() - 2 * of_label.sum() + labels.numel()
            rows.append(torch.stack([squares, squares.new_tensor(labels.numel())]))
        return torch.stack(rows).unsqueeze(1)

    def measured(self, rows: Tensor) -> Tensor:
        """Score, (..., 1)."""
        return rows[..., 0] / rows[..., 1]
