"""Expected calibration error (ECE) of the top label."""

from __future__ import annotations

from torch import Tensor

from calib_monai.bins import top_label_bins
from calib_monai.metrics.calibration import CalibrationMetric


class ECEMetric(CalibrationMetric):
    """Expected calibration error of the most probable class: per image, then the mean over images.

    ECE = sum over bins of n_b / n * |accuracy_b - confidence_b|, the confidence being the highest
    probability of a voxel; Guo et al. 2017 (arXiv:1706.04599), Eq. 3, on the region's voxels.

    Example:
        >>> import torch
        >>> metric = ECEMetric(region="all")
        >>> probs = torch.tensor([0.25, 0.75]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
        >>> _ = metric(y_pred=probs, y=torch.tensor([[[[1, 1], [1, 1]]]]))
        >>> metric.aggregate().item()
        0.25
    """

    def measure(self, probs: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """ECE of each image, (B, 1); NaN for an image without a voxel in `mask`."""
        return top_label_bins(probs, target, mask, self.num_bins).expected_calibration_error().unsqueeze(1)
