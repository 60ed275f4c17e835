"""Base classes for measures of probabilities: they keep sums of each image and compute its value from them."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from monai.utils import MetricReduction
from torch import Tensor

from calib_monai.arguments import check_ignore_index, check_whole
from calib_monai.bins import Bins
from calib_monai.metrics.imagewise import ImagewiseMetric
from calib_monai.metrics.inputs import measured_voxels, probs_and_labels
from calib_monai.regions import Region, region_of


class CalibrationMetric(ImagewiseMetric):
    """A measure of probabilities on a region, per image, then averaged over images.

    Args:
        region: the measured voxels: one of `calib_monai.regions`, or its name; by default "plausible".
        pooled: whether `aggregate` measures the voxels of all images together, as if they were one image, instead of
            averaging over images.
        ignore_index: a label whose voxels are in no region.

    Attributes:
        more_is_better: as in `ImagewiseMetric`; `MetricCollectionHandler` tells reports.
        sums_add_up: whether the sums of two sets of voxels add up to the sums of their union. If so, a
            `MetricCollection` computes the common part of overlapping regions once.

    Raises:
        ValueError: an unknown region.
    """

    more_is_better: ClassVar[bool | None] = False
    sums_add_up: bool = False

    def __init__(
        self, *, region: str | Region = "plausible", pooled: bool = False, ignore_index: int | None = None
    ) -> None:
        super().__init__()
        check_ignore_index(ignore_index)
        self.region = region_of(region)
        self.pooled = pooled
        self.ignore_index = ignore_index

    @property
    def of_all_images(self) -> bool:
        """Whether `aggregate` is of the voxels of all images together, and not a mean over images."""
        return self.pooled

    @abstractmethod
    def sums(self, probs: Tensor, labels: Tensor) -> Tensor:
        """The sums that are kept of an image, (K, S). If `pooled`, the sums of two images must add up.

        Args:
            probs: probabilities of the N voxels of the region, (C, N).
            labels: their class indices, (N,).
        """

    @abstractmethod
    def measured(self, rows: Tensor) -> Tensor:
        """Values (..., K) computed from sums (..., K, S); NaN if there was no voxel."""

    def voxels(self) -> float | None:
        """Number of voxels of the region in all images; None where that is not kept.

        Raises:
            ValueError: nothing was measured yet.
        """
        return None

    def aggregate(self, reduction: MetricReduction | str | None = None) -> Tensor:
        """The mean over images of each image's mean, or the mean of the values of all images together, a scalar.

        Args:
            reduction: as in `ImagewiseMetric.aggregate`, for values of single images.

        Raises:
            ValueError: nothing was measured yet, or a reduction where all images are measured together.
        """
        if not self.of_all_images:
            return super().aggregate(reduction)
        if reduction is not None:
            raise ValueError(f"reduction is {reduction}; all images are measured together, which leaves none to reduce")
        return self.of_all(self.rows()).nanmean()

    def of_all(self, rows: Tensor) -> Tensor:
        """The values (K,) of the voxels of all images, from their sums (images, K, S)."""
        return self.measured(rows.sum(dim=0))

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """Sums of each image, (B, K, S).

        Args:
            y_pred: probabilities, (B, C, H, W[, D]).
            y: class indices (B, 1, H, W[, D]) or one-hot (B, C, H, W[, D]).

        Raises:
            ValueError: values that are no probabilities, or shapes that do not fit.
        """
        voxels = measured_voxels(self.region, *probs_and_labels(y_pred, y, self.ignore_index))
        return torch.stack([self.sums(*image) for image in voxels])


class BinnedMetric(CalibrationMetric):
    """A calibration error whose sums are those of bins.

    Args:
        num_bins: number of equal bins (lo, hi] of confidence; the first holds 0, too.
        region: the measured voxels: one of `calib_monai.regions`, or its name; by default "plausible".
        pooled: measure the voxels of all images together, instead of averaging over images.
        debiased: the same, without the error that chance adds, as in `calib_monai.bins.Bins.pooled_errors`.
        ignore_index: a label whose voxels are in no region.

    Raises:
        ValueError: `num_bins` below 1, an unknown region, or both pooled and debiased.
    """

    sums_add_up = True

    def __init__(
        self,
        num_bins: int = 15,
        *,
        region: str | Region = "plausible",
        pooled: bool = False,
        debiased: bool = False,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(region=region, pooled=pooled, ignore_index=ignore_index)
        if pooled and debiased:
            raise ValueError("pooled is True and debiased is True; debiased is pooled, too: set one of them")
        self.debiased = debiased
        check_whole("num_bins", num_bins, 1)
        self.num_bins = num_bins

    @property
    def of_all_images(self) -> bool:
        """Whether `aggregate` is of the voxels of all images together, and not a mean over images."""
        return self.pooled or self.debiased

    def of_all(self, rows: Tensor) -> Tensor:
        """The values of the voxels of all images; NaN if debiased and only one image was measured."""
        if not self.debiased:
            return super().of_all(rows)
        errors, count = Bins.from_tensor(rows).pooled_errors(debiased=True)
        return errors.sum(dim=0) / count.sum(dim=0)

    def measured(self, rows: Tensor) -> Tensor:
        """Calibration error (..., K) of bins (..., K, 3 * num_bins + 1)."""
        return Bins.from_tensor(rows).expected_calibration_error()

    def voxels(self) -> float | None:
        """The number of voxels in the bins of all images.

        Raises:
            ValueError: nothing was measured yet.
        """
        return Bins.from_tensor(self.rows()).total[..., 0].sum().item()


class ScoreMetric(CalibrationMetric):
    """A mean over voxels of a score of each voxel's probabilities.

    Args:
        region: the measured voxels: one of `calib_monai.regions`, or its name; by default "all": there all networks are
            measured on the same voxels.
        pooled: measure the voxels of all images together, instead of averaging over images.
        ignore_index: a label whose voxels are in no region.

    Raises:
        ValueError: an unknown region.
    """

    sums_add_up = True

    def __init__(self, *, region: str | Region = "all", pooled: bool = False, ignore_index: int | None = None) -> None:
        super().__init__(region=region, pooled=pooled, ignore_index=ignore_index)

    @abstractmethod
    def total(self, probs: Tensor, of_label: Tensor) -> Tensor:
        """The sum over voxels, a scalar, float64.

        Args:
            probs: probabilities of N voxels, (C, N).
            of_label: the probability of each voxel's label, (1, N).
        """

    def sums(self, probs: Tensor, labels: Tensor) -> Tensor:
        """Sum over voxels and number of voxels, (1, 2)."""
        total = self.total(probs, probs.gather(0, labels.long().unsqueeze(0)))
        return torch.stack([total, total.new_tensor(labels.numel())]).unsqueeze(0)

    def measured(self, rows: Tensor) -> Tensor:
        """Mean over voxels, (..., 1)."""
        return rows[..., 0] / rows[..., 1]

    def voxels(self) -> float | None:
        """The number of voxels that were scored in all images.

        Raises:
            ValueError: nothing was measured yet.
        """
        return self.rows()[..., 0, 1].sum().item()
