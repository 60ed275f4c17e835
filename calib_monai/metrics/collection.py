"""Several measures of the same probabilities, whose voxels are selected once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monai.metrics import IterationMetric
from torch import Tensor

from calib_monai.metrics.calibration import CalibrationMetric
from calib_monai.metrics.inputs import check_lists, measured_voxels, probs_and_labels


class MetricCollection(IterationMetric):
    """Measures of probabilities that are called, aggregated and reset together.

    They say what each says alone. Selecting and checking the voxels of a region takes longer than an error of
    calibration; here the measures of one region share that. An evaluator of MONAI has a collection by
    `calib_monai.handlers.MetricCollectionHandler`.

    Args:
        metrics: by name, metrics such as `ECEMetric`, each with a region of its own.
        ignore_index: of all metrics; that of one may be the same or None.

    Raises:
        ValueError: no metrics by name, one that is no measure of probabilities or ignores another label, or one under
            two names.

    Example:
        >>> import torch
        >>> from calib_monai.metrics import BrierMetric, ECEMetric
        >>> metrics = MetricCollection({"ece": ECEMetric(region="all"), "brier": BrierMetric(region="all")})
        >>> probs = torch.tensor([0.25, 0.75]).view(1, 2, 1, 1).expand(1, 2, 2, 2)
        >>> _ = metrics(y_pred=probs, y=torch.tensor([[[[1, 1], [1, 1]]]]))
        >>> {name: value.item() for name, value in metrics.aggregate().items()}
        {'ece': 0.25, 'brier': 0.125}
    """

    def __init__(self, metrics: Mapping[str, CalibrationMetric], ignore_index: int | None = None) -> None:
        if not isinstance(metrics, Mapping) or not metrics:
            raise ValueError(f"metrics is {metrics!r}; it must be a dictionary of at least one metric by its name")
        for name, metric in metrics.items():
            if not isinstance(metric, CalibrationMetric):
                kind = type(metric).__name__
                raise ValueError(f"{name} is of type {kind}; it must be a measure of probabilities, such as ECEMetric")  # noqa: TRY004
            if metric.ignore_index not in (None, ignore_index):
                raise ValueError(
                    f"{name} has ignore_index {metric.ignore_index} and the collection {ignore_index}; give it to the "
                    "collection"
                )
        if len(set(metrics.values())) < len(metrics):
            raise ValueError(f"metrics {', '.join(metrics)} are not one each; each name must have a metric of its own")
        self.metrics = dict(metrics)
        self.ignore_index = ignore_index

    def __call__(self, y_pred: Any, y: Any = None, **kwargs: Any) -> dict[str, Tensor]:  # type: ignore[override]
        """By name the values of these images, (B, K), which are kept too.

        Args:
            y_pred: probabilities, a batch (B, C, H, W[, D]) or a list of (C, H, W[, D]).
            y: class indices (B, 1, H, W[, D]) or one-hot (B, C, H, W[, D]), or a list of such.
            kwargs: none.

        Raises:
            ValueError: values that are no probabilities, or shapes that do not fit; then nothing is kept.
        """
        check_lists(y_pred, y)
        rows = dict(zip(self.metrics, super().__call__(y_pred=y_pred, y=y, **kwargs), strict=True))
        for name, metric in self.metrics.items():
            metric.extend(rows[name])
        return {name: metric.measured(rows[name]) for name, metric in self.metrics.items()}

    def values(self) -> dict[str, Tensor]:
        """By name what was measured so far, (images, K).

        Raises:
            ValueError: nothing was.
        """
        return {name: metric.values() for name, metric in self.metrics.items()}

    def aggregate(self) -> dict[str, Tensor]:
        """By name what the metric aggregates, a scalar.

        Raises:
            ValueError: nothing was measured yet.
        """
        return {name: metric.aggregate() for name, metric in self.metrics.items()}

    def reset(self) -> None:
        """Forget what was measured."""
        for metric in self.metrics.values():
            metric.reset()  # type: ignore[no-untyped-call]

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None) -> list[Tensor]:  # type: ignore[override]
        """Sums of each image, (B, K, S), in the order of the metrics; one region's voxels are held at a time."""
        given = probs_and_labels(y_pred, y, self.ignore_index)
        rows: dict[str, Tensor] = {}
        for region in dict.fromkeys(metric.region for metric in self.metrics.values()):
            voxels = measured_voxels(region, *given)
            rows |= {name: metric.rows_of(voxels) for name, metric in self.metrics.items() if metric.region == region}
        return [rows[name] for name in self.metrics]
