"""Handler that measures several metrics of probabilities in a run of an evaluator."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ignite.engine import Engine
from monai.handlers import IgniteMetricHandler, from_engine

from calib_monai.handlers.engine_state import ignored_label
from calib_monai.handlers.settings import settings_of
from calib_monai.measures import KINDS, Measure, measure_of_probabilities
from calib_monai.metrics import MetricCollection
from calib_monai.metrics.by_name import TOGETHER, VALIDATION, metrics_by_name, named
from calib_monai.metrics.calibration import BinnedMetric, CalibrationMetric

OF_VALIDATION = (f"{VALIDATION}ece_plausible",)  # what a training measures after each epoch


class MetricCollectionHandler(IgniteMetricHandler):
    """MONAI's `IgniteMetricHandler` for a `MetricCollection`: each metric is logged and saved under its own name.

    It belongs into `additional_metrics`, because MONAI's key metric is a single metric. `engine.state.metric_settings`
    holds the settings of each metric, `engine.state.measures` its title and direction, `engine.state.voxels` the number
    of voxels of its region. A metric of all images together has no value of a case, and is not in `metric_details`.

    Args:
        metrics: the names of metrics in `engine.state.metrics` and `engine.state.metric_details`. A name holds metric
            and region, and "pooled" or "debiased" if the metric is: `ece_foreground`, `ece_union_pooled`. In a
            dictionary each name has the options of its metric, often {}, or a metric such as a user's own. By default
            a validation's ECE of the region "plausible".
        output_transform: takes probabilities and labels from the engine's output; by default "prob" and "target".
        ignore_index: as in `MetricCollection`; by default the label that `IgnoredLabel` sets.

    Raises:
        ValueError: no metric, an unknown name or option, a metric that does not measure probabilities, or a name that
            does not fit its metric.
    """

    def __init__(
        self,
        metrics: Iterable[str] | Mapping[str, CalibrationMetric | Mapping[str, Any]] = OF_VALIDATION,
        output_transform: Callable[[Any], Any] | None = None,
        ignore_index: int | None = None,
    ) -> None:
        self.collection = MetricCollection(metrics_by_name(metrics), ignore_index)
        self.own_ignore_index = ignore_index
        for name, metric in self.collection.metrics.items():
            _check_name(name, metric)
        taking = output_transform or from_engine(["prob", "target"])
        super().__init__(metric_fn=self.collection, output_transform=taking)  # type: ignore[arg-type]

    def started(self, engine: Engine) -> None:
        """Forget the images of an earlier run, and ask which label is ignored."""
        ignored = ignored_label(engine) if self.own_ignore_index is None else self.own_ignore_index
        self.collection.ignore_index = ignored
        super().started(engine)

    def attach(self, engine: Engine, name: str) -> None:  # type: ignore[override]
        """Measure the output of an evaluator.

        Raises:
            ValueError: the collection is to be the key metric.
        """
        if getattr(engine.state, "key_metric_name", None) == name:
            raise ValueError(f"{name} is a collection and the key metric; that must be a single metric")
        super().attach(engine, name)
        state: Any = engine.state
        state.collections = [*getattr(state, "collections", []), self.collection]

    def compute(self) -> dict[str, float]:
        """The aggregate of each metric by name; the values of each image go to `engine.state.metric_details`.

        Raises:
            ValueError: nothing was measured yet.
        """
        state: Any = self._engine.state  # type: ignore[union-attr]
        metrics = self.collection.metrics
        state.metric_details.update({name: one.values() for name, one in metrics.items() if not one.of_all_images})
        ignored = {} if self.collection.ignore_index is None else {"ignore_index": self.collection.ignore_index}
        settings = {name: settings_of(metric) | ignored for name, metric in metrics.items()}
        measures = {name: _measure(name, metric) for name, metric in metrics.items()}
        state.metric_settings = getattr(state, "metric_settings", {}) | settings
        state.measures = getattr(state, "measures", {}) | measures
        state.voxels = getattr(state, "voxels", {}) | self._voxels()
        return {name: value.item() for name, value in self.collection.aggregate().items()}

    def _voxels(self) -> dict[str, float]:
        """By name the number of voxels of a metric's region, where one of the metrics counts them."""
        metrics = self.collection.metrics
        counts = {metric.region: count for metric in metrics.values() if (count := metric.voxels()) is not None}
        return {name: counts[metric.region] for name, metric in metrics.items() if metric.region in counts}

    def completed(self, engine: Engine, _name: str) -> None:
        """Put each metric into `engine.state.metrics`; Ignite would also put them there together, as a dictionary."""
        engine.state.metrics.update(self.compute())


def binned_metrics(engine: Engine) -> list[BinnedMetric]:
    """The calibration errors of all collections that an engine measures."""
    collections: list[MetricCollection] = getattr(engine.state, "collections", [])
    metrics = [metric for collection in collections for metric in collection.metrics.values()]
    return [metric for metric in metrics if isinstance(metric, BinnedMetric)]


def _measure(name: str, metric: CalibrationMetric) -> Measure:
    """The title and direction of a metric; the title is that of its kind, or its class if a user wrote it."""
    kind, *words = name.removeprefix(VALIDATION).split("_")
    title = KINDS.get(kind, type(metric).__name__.removesuffix("Metric"))
    return measure_of_probabilities(title, words, more_is_better=metric.more_is_better)


def _check_name(name: str, metric: CalibrationMetric) -> None:
    """Raise ValueError if a name does not say what a metric measures, and on which voxels."""
    kind = type(metric).__name__
    measure = kind.removesuffix("Metric").lower()
    first, regions, said_together, _ = named(name)
    together = [word for word in TOGETHER if getattr(metric, word, False)]
    if (first, regions, [word for word in TOGETHER if word in said_together]) != (
        measure,
        [metric.region.name],
        together,
    ):
        images = "all images together" if together else "image by image"
        right = "_".join([measure, metric.region.name, *together])
        raise ValueError(
            f"{name} is {kind} of the region {metric.region.name}, {images}: its name must say so, as {right}. To add "
            f'it: --validate#additional_metrics#calibration#metrics#{right} "{{}}"'
        )
