"""Volume difference: how much larger or smaller each predicted structure is than the label's."""

from __future__ import annotations

import numpy as np

from calib_monai.metrics.masks import Mask
from calib_monai.metrics.structurewise import StructurewiseMetric


class VolumeDifferenceMetric(StructurewiseMetric):
    """Relative volume difference per image and class but the background; then the mean over images.

    (predicted - true) / true, both in voxels: -0.1 is a structure that is predicted 10 % too small. NaN where the label
    does not have the class. MONAI's `AbsoluteVolumeDifferenceMetric` has no sign, so it does not tell a structure that
    is always too small from one that is sometimes too large.

    Args:
        overlapping: as in `HD95Metric`.
        num_classes: C, which class indices need; one-hot and masks do not.

    Raises:
        ValueError: a `num_classes` below 2.
    """

    def _number(self, predicted: Mask, labeled: Mask) -> float:
        """The relative difference in size of two masks, NaN if the label's is empty."""
        true = np.count_nonzero(labeled)
        return (np.count_nonzero(predicted) - true) / true if true else float("nan")
