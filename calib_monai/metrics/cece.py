"""Classwise expected calibration error (CECE)."""

from __future__ import annotations

from torch import Tensor

from calib_monai.bins import class_bins
from calib_monai.metrics.calibration import CalibrationMetric


class CECEMetric(CalibrationMetric):
    """Expected calibration error of each class against the rest, averaged over the classes.

    Per image, then the mean over images; Kull et al. 2019 (arXiv:1910.12656), as the papers report it:
    NACL (arXiv:2303.06268), Eq. 9, with a mean in place of the printed sum. The background counts as
    a class: in the foreground its probability should be 0.

    Note:
        The authors' code averages over the classes up to the largest label of the volume; here it is
        all classes. The two agree where the last class is present.
    """

    def measure(self, probs: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Error of each image and class, (B, C); NaN for an image without a voxel in `mask`."""
        return class_bins(probs, target, mask, self.num_bins).expected_calibration_error()
