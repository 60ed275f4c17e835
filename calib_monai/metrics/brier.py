"""Brier score."""

from __future__ import annotations

from torch import Tensor

from calib_monai.metrics.calibration import ScoreMetric


class BrierMetric(ScoreMetric):
    """Squared distance of the probabilities from the label, 0 to 2, per image, then averaged over images.

    BS = mean over voxels of sum_k (p_k - [k = y])^2; Brier 1950, Eq. 2. It is small only if a network is right and well
    calibrated.

    Args:
        region: the measured voxels: one of `calib_monai.regions`, or its name; by default "all": there all networks are
            measured on the same voxels.
        pooled: measure the voxels of all images together, instead of averaging over images.
        ignore_index: a label whose voxels are in no region.

    Raises:
        ValueError: an unknown region.

    Note:
        CRaC's code compares with the shares of the classes in the neighborhood. This metric compares with the label.
    """

    def total(self, probs: Tensor, of_label: Tensor) -> Tensor:
        """Sum over voxels of sum_k (p_k - [k = y])^2 = sum_k p_k^2 - 2 p_y + 1, a scalar."""
        return probs.double().square().sum() - 2 * of_label.double().sum() + of_label.numel()
