"""Several measures of probabilities in a run of an evaluator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ignite.engine import Engine
from monai.handlers import IgniteMetricHandler

from calib_monai.metrics import MetricCollection
from calib_monai.metrics.calibration import CalibrationMetric


class MetricCollectionHandler(IgniteMetricHandler):
    """MONAI's `IgniteMetricHandler` for a `MetricCollection`: each metric is logged and saved under its own name.

    It is for `additional_metrics`: MONAI's key metric is a single one.

    Args:
        metrics: by name, as in `engine.state.metrics` and `engine.state.metric_details`, metrics such as `ECEMetric`.
        output_transform: takes probabilities and labels from the engine's output.

    Raises:
        ValueError: no metric, or one that is no measure of probabilities.
    """

    def __init__(self, metrics: Mapping[str, CalibrationMetric], output_transform: Callable[[Any], Any]) -> None:
        self.collection = MetricCollection(metrics)
        super().__init__(metric_fn=self.collection, output_transform=output_transform)  # type: ignore[arg-type]

    def attach(self, engine: Engine, name: str) -> None:  # type: ignore[override]
        """Measure what an evaluator puts out.

        Raises:
            ValueError: the collection is to be the key metric.
        """
        if getattr(engine.state, "key_metric_name", None) == name:
            raise ValueError(f"{name} is a collection and the key metric; that must be a single metric")
        super().attach(engine, name)

    def compute(self) -> dict[str, float]:
        """By name what each metric aggregates; the values of each image go to `engine.state.metric_details`.

        Raises:
            ValueError: nothing was measured yet.
        """
        engine: Any = self._engine
        engine.state.metric_details.update(self.collection.values())
        return {name: value.item() for name, value in self.collection.aggregate().items()}

    def completed(self, engine: Engine, _name: str) -> None:
        """Put each metric into `engine.state.metrics`; Ignite would put them there together too, as a dictionary."""
        engine.state.metrics.update(self.compute())
