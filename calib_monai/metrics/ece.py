"""Expected calibration error (ECE) of the top label."""

from __future__ import annotations

from torch import Tensor

from calib_monai.bins import top_label_bins
from calib_monai.metrics.calibration import BinnedMetric


class ECEMetric(BinnedMetric):
    """Expected calibration error of the most probable class, per image, then averaged over images.

    ECE = sum over bins of n_b / n * |accuracy_b - confidence_b|, on the region's voxels. The confidence of a voxel is
    its highest probability. Guo et al. 2017 (arXiv:1706.04599), Eq. 3.

    Args:
        num_bins: number of equal bins (lo, hi] of confidence; the first holds 0, too.
        region: the measured voxels: one of `calib_monai.regions`, or its name; by default "plausible".
        pooled: measure the voxels of all images together, instead of averaging over images.
        debiased: the same, without the error that chance adds, as in `calib_monai.bins.Bins.pooled_errors`.
        ignore_index: a label whose voxels are in no region.

    Raises:
        ValueError: `num_bins` below 1, an unknown region, or both pooled and debiased.

    Examples:
        >>> import torch
        >>> metric = ECEMetric(region="all")
        >>> probs = torch.tensor([0.25, 0.75]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
        >>> _ = metric(y_pred=probs, y=torch.tensor([[[[1, 1], [1, 1]]]]))
        >>> metric.aggregate().item()
        0.25
    """

    def sums(self, probs: Tensor, labels: Tensor) -> Tensor:
        """Top-label bins, (1, 3 * num_bins + 1)."""
        return top_label_bins(probs, labels, self.num_bins).to_tensor().unsqueeze(0)
