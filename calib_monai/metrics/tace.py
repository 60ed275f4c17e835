"""Thresholded adaptive calibration error (TACE)."""

from __future__ import annotations

from torch import Tensor

from calib_monai.arguments import check_number
from calib_monai.bins import class_bins, class_errors_of_equal_mass
from calib_monai.metrics.calibration import BinnedMetric
from calib_monai.regions import Region


class TACEMetric(BinnedMetric):
    """Calibration error of each class over the probabilities above a threshold, averaged over the classes.

    It is computed per image, then averaged over images (Nixon et al. 2019, arXiv:1904.01685, Section 3). A network
    gives most voxels a probability near 0 for most classes. The threshold keeps these values from hiding all others.

    Args:
        num_bins: number of bins.
        threshold: probabilities up to this value are left out, 0 to 1; 0 leaves out none.
        adaptive: use bins of n // num_bins of the n sorted voxels, the last bin with the rest. False uses bins of equal
            width (lo, hi]; the first holds 0, too.
        include_background: whether class 0 is measured. If not, its voxels still count for the other classes.
        region: the measured voxels: one of `calib_monai.regions`, or its name; by default "plausible".
        pooled: measure the voxels of all images together, instead of averaging over images;
            only with bins of equal width, because equal numbers would need every confidence at once.
        ignore_index: a label whose voxels are in no region.

    Raises:
        ValueError: `num_bins` below 1, a threshold outside 0..1, an unknown region, or pooled and adaptive.

    Note:
        CRaC reports bins of equal width in the foreground: threshold=1e-3, adaptive=False, region="foreground". BWCR
        reports bins of equal numbers in all voxels, without the background class: threshold=1e-2, region="all",
        include_background=False; its code divides by the number of bins once too often. A class without a probability
        above the threshold is left out here, and counts 0 in CRaC's code. A border between adaptive bins may divide
        voxels of equal probability. Each of them then counts with their mean accuracy; the authors' result depends on
        the order of the voxels.
    """

    def __init__(
        self,
        num_bins: int = 15,
        threshold: float = 1e-3,
        *,
        adaptive: bool = True,
        include_background: bool = True,
        region: str | Region = "plausible",
        pooled: bool = False,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(num_bins, region=region, pooled=pooled, ignore_index=ignore_index)
        check_number("threshold", threshold, 0, 1)
        if pooled and adaptive:
            raise ValueError("pooled is True and adaptive is True; pooled sums need bins of equal width")
        self.threshold = threshold
        self.adaptive = adaptive
        self.include_background = include_background
        self.sums_add_up = not adaptive  # bins of equal numbers need all voxels of a region at once

    def sums(self, probs: Tensor, labels: Tensor) -> Tensor:
        """Errors (C, 1) if adaptive, else bins (C, 3 * num_bins + 1); C - 1 without the background."""
        if self.adaptive:
            rows = class_errors_of_equal_mass(probs, labels, self.num_bins, self.threshold).unsqueeze(-1)
        else:
            rows = class_bins(probs, labels, self.num_bins, self.threshold).to_tensor()
        return rows if self.include_background else rows[1:]

    def voxels(self) -> None:
        """None, because the voxels below the threshold are in no bin."""

    def measured(self, rows: Tensor) -> Tensor:
        """Error of each class, (..., C), or (..., C - 1) without the background."""
        return rows.squeeze(-1) if self.adaptive else super().measured(rows)
