"""95th percentile of the Hausdorff distance (HD95)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib_monai.metrics.distances import SurfaceMetric


class HD95Metric(SurfaceMetric):
    """95th percentile of the distances between two surfaces, per image and class, in mm.

    The distances of both directions are pooled, then the percentile is taken, as MedPy's `hd95`
    does, which the papers report. (MONAI's is the larger of the two directed percentiles.) Absent
    classes and arguments are as in `SurfaceMetric`.
    """

    def distance(self, forth: NDArray[np.float64], back: NDArray[np.float64]) -> float:
        """The percentile of both directions together, in mm."""
        return float(np.percentile(np.concatenate([forth, back]), 95))
