"""Classwise expected calibration error (CECE)."""

from __future__ import annotations

from torch import Tensor

from calib_monai.bins import class_bins
from calib_monai.metrics.calibration import BinnedMetric


class CECEMetric(BinnedMetric):
    """Expected calibration error of each class against the rest, averaged over the classes.

    It is computed per image, then averaged over images. Kull et al. 2019 (arXiv:1910.12656) define it. The papers
    report NACL's Eq. 9 (arXiv:2303.06268) with a mean instead of the printed sum. The background counts as a class: in
    the foreground its probability should be 0.

    Args:
        num_bins: number of equal bins (lo, hi] of confidence; the first holds 0, too.
        region: the measured voxels: one of `calib_monai.regions`, or its name; by default "plausible".
        pooled: measure the voxels of all images together, instead of averaging over images.
        debiased: the same, without the error that chance adds, as in `calib_monai.bins.Bins.pooled_errors`.
        ignore_index: a label whose voxels are in no region.

    Raises:
        ValueError: `num_bins` below 1, an unknown region, or both pooled and debiased.

    Note:
        The authors' code averages over the classes up to the largest label of the volume; this metric averages over all
        classes. The two agree if the last class is present. A probability of exactly 0 is in none of the authors' bins,
        but in the first bin here. A softmax hardly ever gives 0. A cropped volume has many zeros, because voxels that
        were cropped off become background with probability 1.
    """

    def sums(self, probs: Tensor, labels: Tensor) -> Tensor:
        """Bins of each class, (C, 3 * num_bins + 1)."""
        return class_bins(probs, labels, self.num_bins).to_tensor()
