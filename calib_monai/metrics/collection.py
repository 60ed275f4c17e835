"""Several measures of the same probabilities, whose voxels are selected once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.metrics import IterationMetric
from torch import Tensor

from calib_monai.arguments import check_ignore_index
from calib_monai.metrics.brier import BrierMetric
from calib_monai.metrics.calibration import CalibrationMetric
from calib_monai.metrics.cece import CECEMetric
from calib_monai.metrics.ece import ECEMetric
from calib_monai.metrics.inputs import check_lists, measured_voxels, pieces_of, probs_and_labels
from calib_monai.metrics.nll import NLLMetric
from calib_monai.metrics.region_parts import Part, parts
from calib_monai.metrics.tace import TACEMetric
from calib_monai.metrics.volume_error import VolumeErrorMetric

OF_SUMS: dict[type[CalibrationMetric], tuple[str, ...]] = {
    ECEMetric: ("num_bins",),
    CECEMetric: ("num_bins",),
    TACEMetric: ("num_bins", "threshold", "adaptive", "include_background"),
    NLLMetric: ("least",),
    BrierMetric: (),
    VolumeErrorMetric: ("at_least",),
}  # the settings on which the sums of given voxels depend


class MetricCollection(IterationMetric):
    """Measures of probabilities that are called, aggregated and reset together.

    Each gives the same value as alone, up to rounding. Their regions may overlap. Each voxel is selected and checked
    once for all regions, and put into a bin once for all measures of a kind.
    `calib_monai.handlers.MetricCollectionHandler` attaches a collection to MONAI's evaluator.

    Args:
        metrics: metrics by name, such as `ECEMetric`, each with a region of its own.
        ignore_index: the ignored label of all metrics; that of a metric by default, and no metric may have another.

    Raises:
        ValueError: no metrics by name, one that is no measure of probabilities or ignores another label, or one under
            two names.

    Examples:
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
        check_ignore_index(ignore_index)
        named = {name: metric.ignore_index for name, metric in metrics.items() if metric.ignore_index is not None}
        ignored = {*named.values(), *({ignore_index} - {None})}
        if len(ignored) > 1:
            given = "" if ignore_index is None else f", and that of the collection is {ignore_index}"
            raise ValueError(f"ignore_index is {named} in the metrics{given}; it must be one")
        if len(set(metrics.values())) < len(metrics):
            raise ValueError(f"metrics {', '.join(metrics)} are not one each; each name must have a metric of its own")
        self.metrics = dict(metrics)
        self.ignore_index = next(iter(ignored), None)

    def __call__(self, y_pred: Any, y: Any = None, **kwargs: Any) -> dict[str, Tensor]:  # type: ignore[override]
        """Measure these images; return the values (B, K) by name, and keep them.

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
        """The values of all images so far by name, (images, K).

        Raises:
            ValueError: nothing was measured yet.
        """
        return {name: metric.values() for name, metric in self.metrics.items()}

    def aggregate(self) -> dict[str, Tensor]:
        """The aggregate of each metric by name, a scalar each.

        Raises:
            ValueError: nothing was measured yet.
        """
        return {name: metric.aggregate() for name, metric in self.metrics.items()}

    def reset(self) -> None:
        """Forget all images."""
        for metric in self.metrics.values():
            metric.reset()  # type: ignore[no-untyped-call]

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None) -> list[Tensor]:  # type: ignore[override]
        """Sums of each image, (B, K, S), in the order of the metrics; one image's voxels are summed at a time."""
        probs, labels, ignored = probs_and_labels(y_pred, y, self.ignore_index)
        masks = [None] * len(probs) if ignored is None else ignored
        images = zip(probs, labels, masks, strict=True)
        return [torch.stack(rows) for rows in zip(*(self._sums_of(*image) for image in images), strict=True)]

    def _sums_of(self, probs: Tensor, labels: Tensor, ignored: Tensor | None) -> list[Tensor]:
        """Sums of an image, (K, S), in the order of the metrics.

        A large image is summed piece by piece. Metrics whose sums do not add up get all voxels of their region.
        """
        regions = list(dict.fromkeys(metric.region for metric in self.metrics.values() if metric.sums_add_up))
        sums: dict[str, Tensor] = {}
        whole = [(slice(None), slice(None))]
        for here in pieces_of(probs) if all(region.by_voxel for region in regions) else whole:
            left_out = None if ignored is None else ignored[here][None]
            [of_piece] = parts(regions, probs[here][None], labels[here][None], left_out, whole=probs[None])
            for name, found in self._sums(of_piece).items():
                sums[name] = sums[name] + found if name in sums else found
        left_out = None if ignored is None else ignored[None]
        for name, metric in self.metrics.items():
            if not metric.sums_add_up:
                [voxels] = measured_voxels(metric.region, probs[None], labels[None], left_out)
                sums[name] = metric.sums(*voxels)
        return [sums[name] for name in self.metrics]

    def _sums(self, image: list[Part]) -> dict[str, Tensor]:
        """Sums of a piece, (K, S), by metric, of those that add up; each part is summed once for all regions."""
        known: dict[tuple[int, Hashable], Tensor] = {}
        found = {}
        for name, metric in self.metrics.items():
            if not metric.sums_add_up:
                continue
            mine = [(place, part) for place, part in enumerate(image) if metric.region in part.regions]
            keys = [(place, _kind(metric)) for place, _ in mine]
            for key, (_, part) in zip(keys, mine, strict=True):
                if key not in known:
                    known[key] = metric.sums(part.probs, part.labels)
            found[name] = torch.stack([known[key] for key in keys]).sum(dim=0)
        return found


def _kind(metric: CalibrationMetric) -> Hashable:
    """A key that is equal for metrics with equal sums of the same voxels; a class of somebody else shares no sums."""
    names = OF_SUMS.get(type(metric))
    return id(metric) if names is None else (type(metric), *(getattr(metric, name) for name in names))
