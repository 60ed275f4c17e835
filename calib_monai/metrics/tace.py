"""Thresholded adaptive calibration error (TACE)."""

from __future__ import annotations

from torch import Tensor

from calib_monai.bins import class_bins, class_errors_of_equal_mass
from calib_monai.metrics.calibration import BinnedMetric
from calib_monai.regions import Region


class TACEMetric(BinnedMetric):
    """Calibration error of each class over the probabilities above a threshold, averaged over the classes.

    Per image, then the mean over images; Nixon et al. 2019 (arXiv:1904.01685), Section 3. A network
    gives most voxels a probability near 0 for most classes; the threshold keeps these from hiding the rest.

    Args:
        num_bins: number of bins.
        threshold: probabilities that are not above it are left out, 0 to 1; 0 leaves out none.
        adaptive: bins of n // num_bins of the n sorted voxels each, the last with the rest too; False is bins of equal
            width (lo, hi], the first with 0.
        region: the voxels looked at: one of `calib_monai.regions`, or its name.
        pooled: whether the voxels of all images are measured together, in place of the mean over images;
            only with bins of equal width, for equal numbers would need every confidence at once.
        ignore_index: label of voxels that are in no region, where labels are class indices.

    Raises:
        ValueError: `num_bins` below 1, a threshold outside 0..1, an unknown region, or pooled and adaptive.

    Note:
        CRaC reports equal widths in the foreground with threshold 1e-3, BWCR equal numbers in all voxels
        with 1e-2 and without the background class; BWCR's code divides by the number of bins once too often.
        A class without a probability above the threshold is left out here and counts 0 in CRaC's code.
        Where bins of equally many voxels cut through voxels of one probability, each of these counts as
        right as they are on average; the authors' result depends on the order of the voxels.
    """

    def __init__(
        self,
        num_bins: int = 15,
        threshold: float = 1e-3,
        *,
        adaptive: bool = True,
        region: str | Region = "plausible",
        pooled: bool = False,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(num_bins, region, pooled=pooled, ignore_index=ignore_index)
        if not (isinstance(threshold, int | float) and 0 <= threshold <= 1):
            raise ValueError(f"threshold is {threshold!r}; it must lie in 0..1")
        if pooled and adaptive:
            raise ValueError("pooled is True and adaptive is True; pooled sums need bins of equal width")
        self.threshold = threshold
        self.adaptive = adaptive

    @property
    def sums_add_up(self) -> bool:  # type: ignore[override]
        """Where bins are of equal width; equal numbers need all voxels of a region at once."""
        return not self.adaptive

    def sums(self, probs: Tensor, labels: Tensor) -> Tensor:
        """Errors (C, 1) where adaptive, bins (C, 3 * num_bins + 1) where not."""
        if self.adaptive:
            return class_errors_of_equal_mass(probs, labels, self.num_bins, self.threshold).unsqueeze(-1)
        return class_bins(probs, labels, self.num_bins, self.threshold).to_tensor()

    def measured(self, rows: Tensor) -> Tensor:
        """Error of each class, (..., C)."""
        return rows.squeeze(-1) if self.adaptive else super().measured(rows)
