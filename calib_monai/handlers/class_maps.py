"""Class maps: an evaluator's "pred" and "label" hold class indices, and what needs one-hot is given it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from monai.handlers import from_engine
from monai.transforms import AsDiscrete
from torch import Tensor

from calib_monai.arguments import check_ignored_label
from calib_monai.handlers.shapes import SegmentationHandler
from calib_monai.metrics import MetricCollection
from calib_monai.metrics.imagewise import ImagewiseMetric


def one_hot_from_engine(num_classes: int, keys: Sequence[str] = ("pred", "label")) -> Callable[[Any], Any]:
    """As MONAI's `from_engine(keys)`, but class indices (1, H, W[, D]) become one-hot (C, H, W[, D]).

    Args:
        num_classes: C.
        keys: items of the engine's output.
    """
    one_hot, taken = AsDiscrete(to_onehot=num_classes), from_engine(list(keys))

    def transform(output: Any) -> tuple[list[Any], ...]:
        return tuple([one_hot(image) if len(image) == 1 else image for image in images] for images in taken(output))

    return transform


def check_metrics(metrics: Iterable[Mapping[str, Any] | None], num_classes: int) -> None:
    """Raise ValueError if a metric that may need one-hot is given class indices, which most would read as one class.

    A metric that takes class indices has `num_classes`, as MONAI's `DiceMetric`, or is one of ours. None of ours may
    ignore a class, because its name would not say so.

    Args:
        metrics: MONAI's handlers of metrics by name; others are passed over, as are those that read what only a run
            has.
        num_classes: of the network.
    """
    label = torch.zeros(1, 4, 4, dtype=torch.uint8)
    case = {"prob": torch.full((num_classes, 4, 4), 1 / num_classes), "pred": label, "label": label, "target": label}
    for of_run in metrics:
        for name, handler in (of_run or {}).items():
            metric = getattr(handler, "metric_fn", None)
            if isinstance(metric, ImagewiseMetric | MetricCollection):
                _check_ignores_no_class(name, metric, num_classes)
            given_class_maps = metric is not None and _is_given_class_maps(handler, case)
            if isinstance(handler, SegmentationHandler) and handler.unions:
                _check_unions(name, handler.unions, num_classes)
            elif given_class_maps and not _takes_class_maps(metric):
                raise ValueError(
                    f"{name} gives class indices, (1, H, W[, D]), to {type(metric).__name__}, which has no "
                    "num_classes: set its num_classes if it takes class indices, else its output_transform to "
                    '{"_target_": "calib_monai.handlers.one_hot_from_engine", "num_classes": "@num_classes"}'
                )


def _check_ignores_no_class(name: str, metric: Any, num_classes: int) -> None:
    """Raise ValueError if the label that a metric ignores is a class."""
    try:
        check_ignored_label(getattr(metric, "ignore_index", None), num_classes)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _check_unions(name: str, unions: Mapping[str, Sequence[Any]], num_classes: int) -> None:
    """Raise ValueError if a structure unites what is no class of the foreground."""
    for structure, classes in unions.items():
        known = [one for one in classes if type(one) is int and 0 < one < num_classes]
        if not classes or len(known) < len(classes):
            raise ValueError(
                f"{name} unites {classes} to {structure}; with {num_classes} classes these must be whole numbers from "
                f"1 to {num_classes - 1}"
            )


def _takes_class_maps(metric: Any) -> bool:
    """Whether a metric knows the number of classes, as those that take class indices, or is one of ours."""
    return isinstance(metric, ImagewiseMetric | MetricCollection) or getattr(metric, "num_classes", None) is not None


def _is_given_class_maps(handler: Any, case: Mapping[str, Tensor]) -> bool:
    """Whether a handler gives its metric class indices of such a case."""
    try:
        given = handler._output_transform([case])  # noqa: SLF001 - Ignite has no other name for it
    except Exception:  # noqa: BLE001 - it reads what only a run has
        return False
    return any(len(image) == 1 for images in given if isinstance(images, Sequence) for image in images)
