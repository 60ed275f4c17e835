"""Handlers of shapes: they measure what MONAI's handler of the same metric does, and unions of classes by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ignite.engine import Engine
from monai.data import MetaTensor
from monai.handlers import IgniteMetricHandler, from_engine
from monai.metrics import DiceMetric
from torch import nn

from calib_monai.handlers import (
    ASD,
    HD95,
    Dice,
    ExpectedDice,
    IgnoredLabel,
    MissedStructures,
    PairwiseDice,
    VolumeDifference,
)
from calib_monai.handlers.class_maps import check_metrics
from calib_monai.handlers.shapes import SegmentationHandler
from calib_monai.metrics import ASDMetric, ExpectedDiceMetric, HD95Metric, MissedStructuresMetric
from calib_monai.metrics.pairwise_dice import pairwise_dice
from calib_monai.networks import EnsembleNetwork

UNIONS = {"et": [3], "tc": [1, 3], "wt": [1, 2, 3]}
MAPS = from_engine(["pred", "label"])


def case(seed: int) -> dict[str, torch.Tensor]:
    """A case as an evaluator holds it after the postprocessing."""
    generator = torch.Generator().manual_seed(seed)
    probs = (4 * torch.randn(4, 6, 5, 4, generator=generator)).softmax(dim=0)
    label = MetaTensor(torch.randint(4, (1, 6, 5, 4), generator=generator).float(), affine=2 * torch.eye(4))
    return {"prob": probs, "pred": probs.argmax(dim=0, keepdim=True).byte(), "label": label, "target": label}


def measured(*handlers: Any) -> list[tuple[float, torch.Tensor]]:
    """Value over all cases and values of each, by handler."""
    engine = Engine(lambda _engine, seed: [case(seed)])
    for name, handler in enumerate(handlers):
        handler.attach(engine, str(name))
    state: Any = engine.run([1, 2])
    return [(state.metrics[name], state.metric_details[name]) for name in state.metrics]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (HD95(), IgniteMetricHandler(HD95Metric(num_classes=4), output_transform=MAPS)),
        (
            HD95(spacing=[1, 1, 3]),
            IgniteMetricHandler(HD95Metric(num_classes=4, spacing=[1, 1, 3]), output_transform=MAPS),
        ),
        (ASD(symmetric=True), IgniteMetricHandler(ASDMetric(num_classes=4, symmetric=True), output_transform=MAPS)),
        (
            MissedStructures(dice_below=0.3),
            IgniteMetricHandler(MissedStructuresMetric(num_classes=4, dice_below=0.3), output_transform=MAPS),
        ),
        (Dice(), IgniteMetricHandler(DiceMetric(include_background=False, num_classes=4), output_transform=MAPS)),
        (
            SegmentationHandler(DiceMetric()),
            IgniteMetricHandler(DiceMetric(num_classes=4), output_transform=MAPS),
        ),
        (ExpectedDice(), IgniteMetricHandler(ExpectedDiceMetric(), output_transform=from_engine(["prob", "pred"]))),
    ],
)
def test_they_give_what_the_long_form_gives(ours: Any, theirs: Any) -> None:
    (value, details), (expected, rows) = measured(ours, theirs)
    assert value == expected
    torch.testing.assert_close(details, rows, rtol=0, atol=0)


@pytest.mark.parametrize("handler", [Dice, HD95, ASD, MissedStructures, VolumeDifference, ExpectedDice])
def test_a_handler_may_read_other_keys(handler: Any) -> None:
    keys = ["prob", "pred"] if handler is ExpectedDice else ["pred", "label"]

    def renamed(_engine: Engine, seed: int) -> list[dict[str, Any]]:
        """The same maps under other keys, and under their own keys those of another case."""
        others, maps = case(seed + 1), case(seed)
        return [{**others, **{f"my_{key}": maps[key] for key in keys}}]

    engine = Engine(renamed)
    handler(output_transform=from_engine([f"my_{key}" for key in keys])).attach(engine, "it")
    state: Any = engine.run([1, 2])
    [(value, details)] = measured(handler())
    assert state.metrics["it"] == value
    torch.testing.assert_close(state.metric_details["it"], details, rtol=0, atol=0)


@pytest.mark.parametrize("handler", [Dice(), HD95(), SegmentationHandler(DiceMetric())])
def test_class_indices_of_which_nobody_tells_the_classes_are_refused(handler: Any) -> None:
    engine = Engine(lambda _engine, seed: [{key: case(seed)[key] for key in ("pred", "label")}])
    handler.attach(engine, "of")
    with pytest.raises(ValueError, match=r'has neither num_classes nor a "prob" that tells it'):
        engine.run([1])


def test_unions_of_classes_are_measured_as_masks() -> None:
    (_, dice), (_, hd95) = measured(Dice(UNIONS), HD95(UNIONS))
    assert dice.shape == hd95.shape == (2, 3)
    whole = [(one["pred"] > 0, one["label"] > 0) for one in map(case, (1, 2))]
    expected = [2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in whole]
    torch.testing.assert_close(
        dice[:, 2].double(), torch.stack([MetaTensor(one).as_tensor() for one in expected]).double()
    )


@pytest.mark.parametrize("unions", [{"all": [1, 4]}, {"all": [0, 1]}, {"all": []}, {"all": ["1"]}, {"all": 7}])
def test_a_union_of_what_is_no_class_is_refused(unions: Any) -> None:
    with pytest.raises(
        ValueError, match=r"dice unites .* to all; with 4 classes these must be whole numbers from 1 to 3"
    ):
        check_metrics([{"dice": Dice(unions)}], 4)
    check_metrics([{"dice": Dice(UNIONS), "one": HD95({"et": [3]}), "plain": HD95()}], 4)


def test_the_expected_dice_leaves_out_the_label_that_the_evaluator_ignores() -> None:
    engine = Engine(lambda _engine, seed: [case(seed)])
    handler = ExpectedDice()
    handler.attach(engine, "it")
    IgnoredLabel(3).attach(engine)
    found = engine.run([1]).metrics["it"]
    assert handler.metric_fn.ignore_index == 3  # type: ignore[attr-defined]
    assert found != measured(ExpectedDice())[0][0]


def test_the_dice_between_members_is_of_ensembles_alone_and_needs_their_labels() -> None:
    labels = torch.randint(3, (2, 6, 5, 4))
    found = {}
    for kind, network in {"one": nn.Identity(), "both": EnsembleNetwork([nn.Identity()] * 2, ["a", "b"])}.items():
        engine: Any = Engine(lambda _engine, _: [{"member_labels": labels}])
        engine.network = network
        PairwiseDice().attach(engine, "it")
        found[kind] = engine.run([1]).metrics
    assert found == {"one": {}, "both": {"it": pytest.approx(pairwise_dice(labels).item())}}
    engine = Engine(lambda _engine, seed: [case(seed)])
    engine.network = network
    PairwiseDice().attach(engine, "it")
    with pytest.raises(ValueError, match=r"pairwise_dice needs calib_monai.engines.VolumeEvaluator"):
        engine.run([1])
    check_metrics([{"it": PairwiseDice()}], 4)
