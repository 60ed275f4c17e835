"""Metrics: `metric(y_pred, y)` on every batch, then `metric.aggregate()`."""

from calib_monai.metrics.asd import ASDMetric
from calib_monai.metrics.brier import BrierMetric
from calib_monai.metrics.by_name import metric_by_name
from calib_monai.metrics.cece import CECEMetric
from calib_monai.metrics.collection import MetricCollection
from calib_monai.metrics.ece import ECEMetric
from calib_monai.metrics.expected_dice import ExpectedDiceMetric
from calib_monai.metrics.hd95 import HD95Metric
from calib_monai.metrics.missed import MissedStructuresMetric
from calib_monai.metrics.nll import NLLMetric
from calib_monai.metrics.pairwise_dice import PairwiseDiceMetric
from calib_monai.metrics.tace import TACEMetric
from calib_monai.metrics.volume_difference import VolumeDifferenceMetric
from calib_monai.metrics.volume_error import VolumeErrorMetric

__all__ = [
    "ASDMetric",
    "BrierMetric",
    "CECEMetric",
    "ECEMetric",
    "ExpectedDiceMetric",
    "HD95Metric",
    "MetricCollection",
    "MissedStructuresMetric",
    "NLLMetric",
    "PairwiseDiceMetric",
    "TACEMetric",
    "VolumeDifferenceMetric",
    "VolumeErrorMetric",
    "metric_by_name",
]
