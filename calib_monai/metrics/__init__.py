"""Metrics: `metric(y_pred, y)` on every batch, then `metric.aggregate()`."""

from calib_monai.metrics.cece import CECEMetric
from calib_monai.metrics.ece import ECEMetric
from calib_monai.metrics.hd95 import HD95Metric
from calib_monai.metrics.missed import MissedStructuresMetric

__all__ = ["CECEMetric", "ECEMetric", "HD95Metric", "MissedStructuresMetric"]
