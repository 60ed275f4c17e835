"""Class maps: a metric is given what it takes, or the run is refused before it starts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.handlers import ConfusionMatrix, IgniteMetricHandler, MeanDice, from_engine
from monai.metrics import CumulativeIterationMetric, DiceMetric, MeanIoU

from calib_monai.handlers import MetricCollectionHandler, one_hot_from_engine
from calib_monai.handlers.class_maps import check_metrics
from calib_monai.handlers.shapes import SegmentationHandler
from calib_monai.metrics import ECEMetric, ExpectedDiceMetric, HD95Metric

MAPS = from_engine(["pred", "label"])


class Overlap(CumulativeIterationMetric):
    """A user's own metric of one-hot predictions and labels."""

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None) -> Any:  # type: ignore[override]
        assert y is not None
        return (y_pred * y)[:, 1:].flatten(1).sum(dim=1)


def handler(metric: Any, output_transform: Any = MAPS) -> dict[str, Any]:
    return {"it": IgniteMetricHandler(metric_fn=metric, output_transform=output_transform)}


@pytest.mark.parametrize(
    "given",
    [
        handler(MeanIoU()),
        handler(DiceMetric()),
        handler(Overlap()),
        handler(Overlap(), from_engine(["prob", "label"])),
        {"it": SegmentationHandler(MeanIoU())},
        {"it": MeanDice(output_transform=MAPS)},
        {"it": ConfusionMatrix(output_transform=MAPS)},
    ],
)
def test_a_metric_that_may_need_one_hot_is_not_given_class_indices(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"it gives class indices.*one_hot_from_engine"):
        check_metrics([{}, given], 3)


@pytest.mark.parametrize(
    "given",
    [
        handler(MeanIoU(), one_hot_from_engine(3)),
        handler(DiceMetric(num_classes=3)),
        handler(Overlap(), one_hot_from_engine(3, ["prob", "label"])),
        handler(ExpectedDiceMetric(), from_engine(["prob", "pred"])),
        handler(HD95Metric(num_classes=3)),
        handler(Overlap(), from_engine(["of_the_run", "label"])),
        {"it": MetricCollectionHandler({"ece_plausible": ECEMetric()}, from_engine(["prob", "target"]))},
        {"it": SegmentationHandler(DiceMetric())},  # the handler tells it the number of classes
        {"it": SegmentationHandler(MeanIoU(), {"whole": [1, 2]})},
        {"it": object()},
        None,
    ],
)
def test_others_are_taken(given: dict[str, Any] | None) -> None:
    check_metrics([given], 3)


def test_class_indices_become_one_hot_and_probabilities_stay() -> None:
    label = torch.tensor([[[0, 2], [1, 1]]], dtype=torch.uint8)
    probs = torch.rand(3, 2, 2)
    found, same = one_hot_from_engine(3, ["label", "prob"])([{"label": label, "prob": probs}])
    assert torch.equal(found[0].argmax(dim=0), label[0].long())
    assert found[0].shape == (3, 2, 2)
    assert same[0] is probs


def test_a_metric_does_not_ignore_a_class() -> None:
    probs = from_engine(["prob", "target"])
    together = {"calibration": MetricCollectionHandler({"ece_plausible": ECEMetric()}, probs, ignore_index=1)}
    for given in (together, handler(ExpectedDiceMetric(ignore_index=2), probs)):
        [name] = given
        with pytest.raises(ValueError, match=rf"{name}: ignore_index is [12]; with 3 classes it must be"):
            check_metrics([given], 3)
    check_metrics([handler(ExpectedDiceMetric(ignore_index=255), probs)], 3)
