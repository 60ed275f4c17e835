"""What the calibration metrics share: probabilities and labels come in, one row an image goes out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor

from calib_monai.metrics.imagewise import ImagewiseMetric
from calib_monai.metrics.inputs import check_probs, class_map, plain
from calib_monai.regions import REGIONS, region_mask


class CalibrationMetric(ImagewiseMetric):
    """A measure of probabilities on a region: per image, then the mean over images.

    Args:
        num_bins: number of equal bins (lo, hi] of confidence.
        region: the voxels looked at, one of `calib_monai.regions.REGIONS`.

    Raises:
        ValueError: `num_bins` below 1 or an unknown region.
    """

    def __init__(self, num_bins: int = 15, region: str = "foreground") -> None:
        super().__init__()
        if num_bins < 1:
            raise ValueError(f"num_bins is {num_bins}; it must be at least 1")
        if region not in REGIONS:
            raise ValueError(f"region is {region!r}; it must be one of {REGIONS}")
        self.num_bins = num_bins
        self.region = region

    @abstractmethod
    def measure(self, probs: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Values of each image, (B, 1) or (B, C); NaN for an image without a voxel in `mask`."""

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **_kwargs: Any) -> Tensor:
        """Values of each image, (B, 1) or (B, C).

        Args:
            y_pred: probabilities, (B, C, H, W[, D]).
            y: class indices (B, 1, H, W[, D]) or one-hot (B, C, H, W[, D]).

        Raises:
            ValueError: values that are no probabilities, or shapes that do not fit.
        """
        if y is None or y.shape[2:] != y_pred.shape[2:]:
            given = None if y is None else tuple(y.shape)
            raise ValueError(f"y_pred is {tuple(y_pred.shape)} and y is {given}; they must have one spatial shape")
        probs = plain(y_pred)
        check_probs(probs)
        target = class_map(plain(y), probs.shape[1])
        return self.measure(probs, target, region_mask(self.region, target, probs))
