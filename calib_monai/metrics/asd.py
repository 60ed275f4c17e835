"""Average surface distance (ASD)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib_monai.metrics.distances import SurfaceMetric
from calib_monai.metrics.masks import Mask
from calib_monai.metrics.surfaces import Spacing, directed_distances


class ASDMetric(SurfaceMetric):
    """Mean distance from the predicted surface to the label's surface, per image and class, in mm.

    It equals MedPy's `asd`, which MbLS reports. If `symmetric`, it equals MedPy's `assd`: the mean over the voxels of
    both surfaces. `SurfaceMetric` says how absent classes count.

    Args:
        symmetric: whether the label's surface voxels count, too, each with its distance from the prediction.
        include_background: whether class 0 is measured.
        spacing: size of a voxel along each axis in mm, as in `SurfaceMetric`.
        overlapping: whether the channels are masks that may overlap, as in `SurfaceMetric`.
        num_classes: C, which class indices need; one-hot and masks do not.

    Raises:
        ValueError: a `num_classes` below 2; or from a call with values that are no masks, shapes that differ, or sizes
            not above 0.
    """

    def __init__(
        self,
        *,
        symmetric: bool = False,
        include_background: bool = False,
        spacing: Sequence[float] | None = None,
        overlapping: bool = False,
        num_classes: int | None = None,
    ) -> None:
        super().__init__(
            include_background=include_background, spacing=spacing, overlapping=overlapping, num_classes=num_classes
        )
        self.symmetric = symmetric

    def distance(self, predicted: Mask, labeled: Mask, spacing: Spacing) -> float:
        """The mean over the predicted surface or both surfaces, in mm."""
        found = directed_distances(predicted, labeled, spacing)
        if self.symmetric:
            found = np.concatenate([found, directed_distances(labeled, predicted, spacing)])
        return float(found.mean())
