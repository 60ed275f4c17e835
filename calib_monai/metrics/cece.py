"""Classwise expected calibration error (CECE)."""

from __future__ import annotations

from torch import Tensor

from calib_monai.bins import class_bins
from calib_monai.metrics.calibration import BinnedMetric


class CECEMetric(BinnedMetric):
    """Expected calibration error of each class against the rest, averaged over the classes.

    Per image, then the mean over images; Kull et al. 2019 (arXiv:1910.12656), as the papers report it:
    NACL (arXiv:2303.06268), Eq. 9, with a mean in place of the printed sum. The background counts as
    a class: in the foreground its probability should be 0.

    Args:
        num_bins: number of equal bins (lo, hi] of confidence; the first holds 0, too.
        region: the voxels looked at: one of `calib_monai.regions`, or its name.
        pooled: whether the voxels of all images are measured together, in place of the mean over images.
        debiased: whether that is done without what chance adds, as in `calib_monai.bins.Bins.pooled_errors`.
        ignore_index: label of voxels that are in no region, where labels are class indices.

    Raises:
        ValueError: `num_bins` below 1, an unknown region, or both pooled and debiased.

    Note:
        The authors' code averages over the classes up to the largest label of the volume; here it is
        all classes. The two agree where the last class is present. A probability of exactly 0 is in none of the
        authors' bins, and here in the first. A softmax gives hardly any; a volume that was cropped has many, for
        voxels that were cropped off become background with probability 1.
    """

    def sums(self, probs: Tensor, labels: Tensor) -> Tensor:
        """Bins of each class, (C, 3 * num_bins + 1)."""
        return class_bins(probs, labels, self.num_bins).to_tensor()
