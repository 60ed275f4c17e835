"""The update of multipliers after a validation: of all its voxels, once a training, and shown."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from monai.data import DataLoader
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.engines.utils import IterationEvents
from monai.handlers import ValidationHandler

from calib_monai.handlers import MultiplierUpdate
from calib_monai.losses import CRaCLoss, MbLSLoss


def trained(loss: CRaCLoss) -> None:
    """A training step."""
    logits = torch.zeros(1, 3, 4, 4, requires_grad=True)
    loss(logits, torch.zeros(1, 1, 4, 4)).backward()


@pytest.mark.parametrize("average", ["all", "region"])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_the_multipliers_are_those_of_all_voxels(
    average: str, spatial_dims: int, engine: Engine, batch_of: Callable[[int], dict[str, torch.Tensor]]
) -> None:
    loss, other = CRaCLoss(3), CRaCLoss(3)
    MultiplierUpdate(loss, spatial_dims=spatial_dims, average=average).attach(engine, "crac")
    trained(loss)
    engine.run([1, 2])
    logits, target = (torch.cat([batch_of(seed)[key] for seed in (1, 2)]) for key in ("pred", "label"))
    if spatial_dims == 2:  # one slice after the other, as the network saw them
        logits, target = (
            torch.cat([volume[..., depth].unsqueeze(0) for volume in volumes for depth in range(4)])
            for volumes in (logits, target)
        )
    other.multipliers.update(other.violation_sums(logits, target), average)
    for name, value in other.state_dict().items():
        torch.testing.assert_close(loss.state_dict()[name], value)


def test_a_validation_before_which_nothing_was_trained_changes_nothing(engine: Engine) -> None:
    loss = CRaCLoss(3)
    MultiplierUpdate(loss).attach(engine, "crac")
    engine.run([1, 2])
    assert loss.multipliers.updates == 0
    trained(loss)
    engine.run([1, 2])
    engine.run([1, 2])
    assert loss.multipliers.updates == 1


def test_a_run_takes_only_its_own_voxels(engine: Engine, batch_of: Callable[[int], dict[str, torch.Tensor]]) -> None:
    loss, other = CRaCLoss(3), CRaCLoss(3)
    MultiplierUpdate(loss, spatial_dims=3).attach(engine, "crac")
    trained(loss)
    engine.run([1, 2])
    other.load_state_dict(loss.state_dict())
    trained(loss)
    engine.run([3])
    case = batch_of(3)
    other.multipliers.update(other.violation_sums(case["pred"], case["label"]))
    torch.testing.assert_close(loss.multipliers.multiplier, other.multipliers.multiplier)


def test_the_state_is_among_the_metrics_by_region_and_class(engine: Engine) -> None:
    loss = CRaCLoss(3)
    MultiplierUpdate(loss, class_names=["background", "anterior", "posterior"]).attach(engine, "crac")
    trained(loss)
    engine.run([1, 2])
    assert len(engine.state.metrics) == 18
    for name in ("multiplier", "coefficient", "violation"):
        value = loss.multipliers.get_buffer(name)[1, 2].item()
        assert engine.state.metrics[f"crac/{name}/outer/posterior"] == value


def test_a_violation_that_is_no_number_ends_the_run_in_one_line() -> None:
    def step(engine: Engine, _batch: int) -> None:
        engine.state.output = {"pred": torch.full((1, 3, 4, 4), math.inf), "label": torch.zeros(1, 1, 4, 4)}
        engine.fire_event(IterationEvents.FORWARD_COMPLETED)

    engine = Engine(step)
    engine.register_events(*IterationEvents)
    loss = CRaCLoss(3)
    MultiplierUpdate(loss).attach(engine, "crac")
    trained(loss)
    with pytest.raises(ValueError, match=r"cannot be updated: .*must be finite"):
        engine.run([0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"loss": MbLSLoss()}, "loss is MbLSLoss"),
        ({"spatial_dims": 1}, "spatial_dims is 1"),
        ({"average": "mean"}, "average is 'mean'"),
        ({"class_names": ["background", "anterior"]}, "'anterior'.* 3 classes"),
    ],
)
def test_wrong_arguments_are_refused_by_value(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MultiplierUpdate(**{"loss": CRaCLoss(3)} | arguments)


def test_a_training_whose_evaluator_leaves_the_update_out_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    loss = CRaCLoss(3)
    update = MultiplierUpdate(loss)
    SupervisedEvaluator(torch.device("cpu"), [], torch.nn.Identity(), additional_metrics={"crac": update})
    with torch.no_grad():
        loss(torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4))  # no step
    assert not caplog.text
    trained(loss)
    trained(loss)
    assert caplog.text.count("MultiplierUpdate is attached to no evaluator") == 1


def test_a_training_updates_once_an_epoch_and_a_stopped_one_goes_on(tmp_path: Path) -> None:
    def train(epochs: int, state: dict[str, Any] | None = None) -> tuple[CRaCLoss, dict[str, Any]]:
        torch.manual_seed(0)
        network, loss = torch.nn.Conv2d(1, 3, 3, padding=1), CRaCLoss(3, growth_interval=2)
        if state:
            network.load_state_dict(state["network"])
            loss.load_state_dict(state["loss"])
        generator = torch.Generator().manual_seed(0)
        items = [
            {
                "image": torch.randn(1, 8, 8, generator=generator),
                "label": torch.randint(3, (1, 8, 8), generator=generator).float(),
            }
            for _ in range(4)
        ]
        device = torch.device("cpu")
        evaluator = SupervisedEvaluator(device, DataLoader(items, batch_size=2), network)
        MultiplierUpdate(loss).attach(evaluator, "crac")
        trainer = SupervisedTrainer(
            device,
            epochs,
            DataLoader(items, batch_size=2),
            network,
            torch.optim.SGD(network.parameters(), lr=0.1),
            loss,
            train_handlers=[ValidationHandler(interval=1, validator=evaluator, exec_at_start=True)],
        )
        trainer.run()
        return loss, {"network": network.state_dict(), "loss": loss.state_dict()}

    whole, _ = train(5)
    _, state = train(2)
    torch.save(state, tmp_path / "checkpoint.pt")
    resumed, _ = train(3, torch.load(tmp_path / "checkpoint.pt"))
    assert whole.multipliers.updates == 5
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name
