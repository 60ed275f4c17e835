"""95th percentile of the Hausdorff distance (HD95)."""

from __future__ import annotations

import numpy as np

from calib_monai.metrics.distances import SurfaceMetric
from calib_monai.metrics.masks import Mask
from calib_monai.metrics.surfaces import Spacing, directed_distances


class HD95Metric(SurfaceMetric):
    """95th percentile of the distances between two surfaces, per image and class, in mm.

    The percentile is taken over the distances of both directions together, as in MedPy's `hd95`, which the papers
    report. (MONAI takes the larger of the two directed percentiles.) A class that both prediction and label lack is NaN
    and left out. A class that only one lacks counts as the image's diagonal.

    Args:
        include_background: whether class 0 is measured.
        spacing: size of a voxel along each axis in mm. Without it, that of `y` where it is a MONAI
            MetaTensor, else 1: the distances are then in voxels.
        overlapping: whether the channels are masks that may overlap, none of them the background, as BraTS's TC, WT
            and ET.
        num_classes: C, which class indices need; one-hot and masks do not.

    Raises:
        ValueError: a `num_classes` below 2; or from a call with values that are no masks, shapes that differ, or sizes
            not above 0.
    """

    def distance(self, predicted: Mask, labeled: Mask, spacing: Spacing) -> float:
        """The percentile over both directions together, in mm."""
        both = directed_distances(predicted, labeled, spacing), directed_distances(labeled, predicted, spacing)
        return float(np.percentile(np.concatenate(both), 95))
