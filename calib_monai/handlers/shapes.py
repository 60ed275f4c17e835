"""Handlers of metrics of segmentations, as MONAI's `MeanDice` is one of its Dice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from ignite.engine import Engine
from monai.handlers import IgniteMetricHandler, from_engine
from monai.metrics import CumulativeIterationMetric, DiceMetric
from torch import Tensor

from calib_monai.handlers.engine_state import ignored_label
from calib_monai.handlers.ignored import segmentations_from_engine
from calib_monai.inferers import MEMBER_LABELS
from calib_monai.labels import united
from calib_monai.metrics import (
    ASDMetric,
    ExpectedDiceMetric,
    HD95Metric,
    MissedStructuresMetric,
    PairwiseDiceMetric,
    VolumeDifferenceMetric,
)
from calib_monai.metrics.confusion import confusion_matrix, dice_of
from calib_monai.metrics.inputs import plain
from calib_monai.networks import folders_of


class SegmentationHandler(IgniteMetricHandler):
    """MONAI's handler of a metric that compares predictions and labels, both class indices (1, H, W[, D]).

    Args:
        metric_fn: the metric. If its `num_classes` is None it becomes the number of channels of "prob", and the first
            iteration raises ValueError if there is none.
        unions: structures that are unions of classes and may overlap, by name, as {"wt": [1, 2, 3]}. The metric is then
            given their masks, (S, H, W[, D]), and results name its columns after them.
        output_transform: takes predictions and labels from the engine's output; by default "pred" and "label".
    """

    def __init__(
        self,
        metric_fn: CumulativeIterationMetric,
        unions: Mapping[str, Sequence[int]] | None = None,
        *,
        output_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        given = (unions or {}).items()
        self.unions = {name: list(classes) if isinstance(classes, Sequence) else [classes] for name, classes in given}
        self._maps_of = output_transform or from_engine(["pred", "label"])
        super().__init__(metric_fn, output_transform=self._taken)

    def _taken(self, output: Sequence[Mapping[str, Any]]) -> tuple[list[Tensor], list[Tensor]]:
        """Predictions and labels of the cases of an iteration."""
        predictions, labels = self._maps_of(output)
        if self.unions:
            predictions, labels = ([united(one, self.unions.values()) for one in of] for of in (predictions, labels))
        elif getattr(self.metric_fn, "num_classes", 0) is None:
            self._count_classes(output[0], predictions[0])
        return predictions, labels

    def _count_classes(self, item: Mapping[str, Any], prediction: Tensor) -> None:
        """Let the metric count as many classes as "prob" has; raise ValueError if nothing tells those of an index."""
        if "prob" not in item:
            if len(prediction) == 1:
                raise ValueError(f'{type(self).__name__} has neither num_classes nor a "prob" that tells it; give it')
            return
        for part in (self.metric_fn, getattr(self.metric_fn, "dice_helper", None)):  # in which MONAI's Dice counts
            if part is not None:
                part.num_classes = len(item["prob"])  # type: ignore[union-attr] # as it has


class Dice(SegmentationHandler):
    """Handler of MONAI's `DiceMetric`, for unions of classes or for all classes but the background.

    Args:
        unions: as in `SegmentationHandler`.
        num_classes: as in `SegmentationHandler`.
        include_background: whether class 0 is measured; unions have no background.
        output_transform: as in `SegmentationHandler`.
    """

    def __init__(
        self,
        unions: Mapping[str, Sequence[int]] | None = None,
        num_classes: int | None = None,
        *,
        include_background: bool = False,
        output_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        metric = _CountedDice(include_background=include_background or bool(unions), num_classes=num_classes)
        super().__init__(metric, unions, output_transform=output_transform)


class _CountedDice(DiceMetric):
    """MONAI's `DiceMetric`, which counts class indices piece by piece: all at once they take eight bytes a voxel."""

    def _compute_tensor(self, y_pred: Tensor, y: Tensor) -> Tensor:  # type: ignore[override] # as MONAI's
        """Dice of each image and class, as MONAI's; NaN where the label does not have the class."""
        maps = [plain(values) for values in (y_pred, y)]
        classes = self.num_classes or 1
        if classes == 1 or any(len(one[0]) > 1 or not _are_indices(one, classes) for one in maps):
            return super()._compute_tensor(y_pred, y)
        rows = []
        for predicted, labeled in zip(*maps, strict=True):
            pairs = confusion_matrix(labeled.flatten(), predicted.flatten(), classes)
            dice = dice_of(pairs).float().masked_fill(pairs.sum(dim=1) == 0, float("nan"))
            rows.append(dice[int(not self.include_background) :])
        return torch.stack(rows)


def _are_indices(values: Tensor, classes: int) -> bool:
    """Whether values are whole numbers of the type of class indices, from 0 to below the number of classes."""
    return not values.is_floating_point() and bool(values.min() >= 0) and bool(values.max() < classes)


class HD95(SegmentationHandler):
    """Handler of `HD95Metric`.

    Args:
        unions: as in `SegmentationHandler`.
        include_background: whether class 0 is measured.
        spacing: as in `HD95Metric`.
        num_classes: as in `SegmentationHandler`.
        output_transform: as in `SegmentationHandler`.
    """

    def __init__(
        self,
        unions: Mapping[str, Sequence[int]] | None = None,
        *,
        include_background: bool = False,
        spacing: Sequence[float] | None = None,
        num_classes: int | None = None,
        output_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        metric = HD95Metric(
            include_background=include_background, spacing=spacing, overlapping=bool(unions), num_classes=num_classes
        )
        super().__init__(metric, unions, output_transform=output_transform)


class ASD(SegmentationHandler):
    """Handler of `ASDMetric`.

    Args:
        unions: as in `SegmentationHandler`.
        symmetric: as in `ASDMetric`.
        include_background: whether class 0 is measured.
        spacing: as in `ASDMetric`.
        num_classes: as in `SegmentationHandler`.
        output_transform: as in `SegmentationHandler`.
    """

    def __init__(
        self,
        unions: Mapping[str, Sequence[int]] | None = None,
        *,
        symmetric: bool = False,
        include_background: bool = False,
        spacing: Sequence[float] | None = None,
        num_classes: int | None = None,
        output_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        metric = ASDMetric(
            symmetric=symmetric,
            include_background=include_background,
            spacing=spacing,
            overlapping=bool(unions),
            num_classes=num_classes,
        )
        super().__init__(metric, unions, output_transform=output_transform)


class MissedStructures(SegmentationHandler):
    """Handler of `MissedStructuresMetric`.

    Args:
        unions: as in `SegmentationHandler`.
        dice_below: as in `MissedStructuresMetric`.
        num_classes: as in `SegmentationHandler`.
        output_transform: as in `SegmentationHandler`.
    """

    def __init__(
        self,
        unions: Mapping[str, Sequence[int]] | None = None,
        *,
        dice_below: float = 0.1,
        num_classes: int | None = None,
        output_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        metric = MissedStructuresMetric(overlapping=bool(unions), num_classes=num_classes, dice_below=dice_below)
        super().__init__(metric, unions, output_transform=output_transform)


class VolumeDifference(SegmentationHandler):
    """Handler of `VolumeDifferenceMetric`.

    Args:
        unions: as in `SegmentationHandler`.
        num_classes: as in `SegmentationHandler`.
        output_transform: as in `SegmentationHandler`.
    """

    def __init__(
        self,
        unions: Mapping[str, Sequence[int]] | None = None,
        *,
        num_classes: int | None = None,
        output_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        metric = VolumeDifferenceMetric(overlapping=bool(unions), num_classes=num_classes)
        super().__init__(metric, unions, output_transform=output_transform)


class ExpectedDice(IgniteMetricHandler):
    """Handler of `ExpectedDiceMetric`. It leaves out the label that `IgnoredLabel` sets.

    Args:
        output_transform: takes probabilities and segmentations from the engine's output; by default "prob" and "pred".
            A voxel that is ignored must hold the ignored label in the segmentation, as by default.
    """

    def __init__(self, output_transform: Callable[[Any], Any] | None = None) -> None:
        self._maps_of = output_transform
        super().__init__(ExpectedDiceMetric(), output_transform=self._taken)

    def _taken(self, output: Any) -> Any:
        """Probabilities and segmentations of the cases of an iteration."""
        if self._engine is not None:
            self.metric_fn.ignore_index = ignored_label(self._engine)  # type: ignore[attr-defined]
        maps_of = self._maps_of or segmentations_from_engine(self.metric_fn.ignore_index)  # type: ignore[attr-defined]
        return maps_of(output)


class PairwiseDice(IgniteMetricHandler):
    """Handler of `PairwiseDiceMetric`, of the members of an ensemble; of a single network nothing is measured."""

    def __init__(self) -> None:
        super().__init__(PairwiseDiceMetric(), output_transform=_labels_of_members)

    def iteration_completed(self, engine: Engine) -> None:
        """Measure the cases of an iteration."""
        if _is_of_ensemble(engine):
            super().iteration_completed(engine)

    def completed(self, engine: Engine, name: str) -> None:
        """Put the mean over all cases into `engine.state.metrics`."""
        if _is_of_ensemble(engine):
            super().completed(engine, name)


def _is_of_ensemble(engine: Engine) -> bool:
    """Whether the network of an evaluator is an ensemble."""
    return bool(folders_of(getattr(engine, "network", None)))


def _labels_of_members(output: Sequence[Mapping[str, Any]]) -> tuple[list[Tensor], None]:
    """The label maps of the members of an ensemble, (M, H, W[, D]) for each case of an iteration.

    Raises:
        ValueError: an evaluator that does not keep them.
    """
    if any(MEMBER_LABELS not in item for item in output):
        raise ValueError("pairwise_dice needs calib_monai.engines.VolumeEvaluator, which keeps labels of the members")
    return [item[MEMBER_LABELS] for item in output], None
