"""The parts of a training together: what would fail or learn nothing only epochs later is refused before the first."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.handlers import CheckpointSaver, HausdorffDistance, LrScheduleHandler
from torch.optim import lr_scheduler as schedulers

from calib_monai.handlers import HD95, Dice, MultiplierUpdate
from calib_monai.handlers.training_checks import (
    check_best,
    check_learning,
    check_multipliers,
    check_steps,
    enabled_handlers,
)
from calib_monai.losses import CRaCLoss, NACLLoss
from calib_monai.measures import measure_of
from calib_monai.metrics import (
    ASDMetric,
    ExpectedDiceMetric,
    HD95Metric,
    MissedStructuresMetric,
    PairwiseDiceMetric,
    VolumeDifferenceMetric,
)
from calib_monai.metrics.by_name import METRICS

NETWORK = torch.nn.Conv2d(1, 2, 1)
OURS = {"_target_": "calib_monai.handlers.BestModelSaver"}


def sgd(rate: float = 0.1, network: torch.nn.Module = NETWORK) -> torch.optim.SGD:
    return torch.optim.SGD(network.parameters(), lr=rate)


def test_an_optimizer_that_changes_nothing_of_the_network_is_refused() -> None:
    check_learning(NETWORK, sgd(), None, 3)
    with pytest.raises(ValueError, match=r"^the learning rate of SGD is 0 in all 3 epoch\(s\)"):
        check_learning(NETWORK, sgd(0), None, 3)
    with pytest.raises(ValueError, match=r"^SGD has no weight of the network: set optimizer#params"):
        check_learning(NETWORK, sgd(network=torch.nn.Conv2d(1, 2, 1)), None, 3)
    frozen = torch.nn.Conv2d(1, 2, 1).requires_grad_(requires_grad=False)
    with pytest.raises(ValueError, match=r"^SGD has no weight of the network"):
        check_learning(frozen, sgd(network=frozen), None, 3)


def test_learning_rates_are_those_of_the_schedule_which_stays_at_its_beginning() -> None:
    optimizer = sgd()
    warm = schedulers.LambdaLR(optimizer, lambda epoch: epoch / 10)
    before = warm.state_dict() | optimizer.state_dict()
    check_learning(NETWORK, optimizer, warm, 2)
    assert warm.state_dict() | optimizer.state_dict() == before
    with pytest.raises(ValueError, match=r"^the learning rate of SGD is 0 in all 1 epoch\(s\)"):
        check_learning(NETWORK, optimizer, warm, 1)
    cycle = schedulers.OneCycleLR(sgd(), 1.0, total_steps=3)
    check_learning(NETWORK, cycle.optimizer, cycle, 3)
    with pytest.raises(ValueError, match=r"^OneCycleLR cannot plan 8 epoch\(s\): Tried to step"):
        check_learning(NETWORK, cycle.optimizer, cycle, 8)
    with pytest.raises(ValueError, match=r"^OneCycleLR cannot plan 4 epoch\(s\): Tried to step"):  # after the last one
        check_learning(NETWORK, cycle.optimizer, cycle, 4)
    grows = schedulers.ExponentialLR(sgd(), 1e200)
    with pytest.raises(ValueError, match=r"^the learning rate of SGD in epoch 3 is inf; it must be a finite number"):
        check_learning(NETWORK, grows.optimizer, grows, 4)


def test_a_schedule_that_follows_a_measurement_must_be_given_one() -> None:
    check_steps("train#handlers#3", schedulers.StepLR(sgd(), 1))
    with pytest.raises(ValueError, match=r"^ReduceLROnPlateau follows a measurement: give train#handlers#3, its LrSch"):
        check_steps("train#handlers#3", schedulers.ReduceLROnPlateau(sgd()))
    with pytest.raises(ValueError, match=r"^train#handlers#3, .*, has no schedule: leave it out by .*_disabled_ True"):
        check_steps("train#handlers#3", None)


def test_multipliers_that_nothing_updates_are_refused() -> None:
    loss = CRaCLoss(3)
    check_multipliers(NACLLoss(), None)
    check_multipliers(loss, {"crac": MultiplierUpdate(loss)})
    for metrics in (None, {"crac": MultiplierUpdate(CRaCLoss(3))}):
        with pytest.raises(
            ValueError, match=r"^CRaCLoss has multipliers, and nothing updates them: train in the bundle"
        ):
            check_multipliers(loss, metrics)


@pytest.mark.parametrize("nothing", [None, {}])
def test_a_validation_without_a_key_metric_is_refused(nothing: Any) -> None:
    with pytest.raises(ValueError, match=r"^validate#key_metric is (None|{}); it must have a metric by its name"):
        check_best(nothing, [OURS])


def test_a_metric_has_the_direction_of_its_name() -> None:
    of_shapes = {
        "hd95_mm": HD95Metric,
        "asd_mm": ASDMetric,
        "missed_structures": MissedStructuresMetric,
        "volume_difference": VolumeDifferenceMetric,
        "expected_dice": ExpectedDiceMetric,
        "pairwise_dice": PairwiseDiceMetric,
    }
    of_probabilities = {f"{name}_plausible": kind for name, kind in METRICS.items()}
    for name, kind in {**of_shapes, **of_probabilities}.items():
        assert kind.more_is_better is measure_of(name).more_is_better


@pytest.mark.parametrize(("name", "handler"), [("val_hd95_mm", HD95()), ("val_mean", HausdorffDistance())])
def test_the_worst_model_is_not_taken_for_the_best(name: str, handler: Any) -> None:
    check_best({"val_dice_foreground": Dice(), name: handler}, [OURS])
    with pytest.raises(ValueError, match=f"^validate#key_metric is {name}, of which less is better"):
        check_best({name: handler}, [OURS])
    negative = {"_target_": "CheckpointSaver", "save_key_metric": True, "key_metric_negative_sign": True}
    check_best({name: handler}, [negative])


def test_a_training_that_would_save_no_model_says_so(caplog: pytest.LogCaptureFixture) -> None:
    check_best({"val_dice_foreground": Dice()}, [OURS])
    assert not caplog.messages
    for savers in ([], [{"_target_": "CheckpointSaver", "save_interval": 1}]):
        check_best({"val_dice_foreground": Dice()}, savers)
    assert (
        caplog.messages
        == ["no handler of validate#handlers saves the best model: this training leaves checkpoints alone"] * 2
    )


def test_handlers_are_found_by_their_class_unless_they_are_disabled() -> None:
    own = {"_target_": "calib_monai.handlers.checkpoints.DurableCheckpointSaver"}
    handlers = [
        OURS,
        own,
        {"_target_": "CheckpointSaver", "_disabled_": True},
        {"_target_": "LrScheduleHandler"},
        "@one",
    ]
    assert list(enabled_handlers(handlers, CheckpointSaver)) == [(0, OURS), (1, own)]
    assert [place for place, _ in enabled_handlers(handlers, LrScheduleHandler)] == [3]
    assert not list(enabled_handlers(None, LrScheduleHandler))
