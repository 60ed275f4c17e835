"""Brier score."""

from __future__ import annotations

from torch import Tensor

from calib_monai.metrics.calibration import ScoreMetric


class BrierMetric(ScoreMetric):
    """Squared distance of the probabilities from the label, 0 to 2: per image, then the mean over images.

    BS = mean over voxels of sum_k (p_k - [k = y])^2; Brier 1950, Eq. 2. It is small only where a
    network is both right and well calibrated.

    Args:
        region: the voxels looked at: one of `calib_monai.regions`, or its name.
        pooled: whether the voxels of all images are measured together, in place of the mean over images.
        ignore_index: label of voxels that are in no region, where labels are class indices.

    Raises:
        ValueError: an unknown region.

    Note:
        CRaC's code compares with the shares of the classes in the neighborhood; here it is the label.
    """

    def total(self, probs: Tensor, of_label: Tensor) -> Tensor:
        """Sum over voxels of sum_k (p_k - [k = y])^2 = sum_k p_k^2 - 2 p_y + 1, a scalar."""
        return probs.double().square().sum() - 2 * of_label.double().sum() + of_label.numel()
