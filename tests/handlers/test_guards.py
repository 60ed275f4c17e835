"""Guards: what goes wrong is stopped, what recovers is not."""

from __future__ import annotations

import logging
import math

import pytest
import torch
from ignite.engine import Engine

from calib_monai.handlers import CollapseGuard, NonFiniteLossGuard


def row(*classes: int) -> torch.Tensor:
    """A row of voxels of these classes, (1, N, 1)."""
    return torch.tensor(classes, dtype=torch.uint8).view(1, -1, 1)


def evaluator(predicted: torch.Tensor, label: torch.Tensor) -> Engine:
    return Engine(lambda _engine, _batch: [{"pred": predicted, "label": label}])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_run_and_says_when(bad: float) -> None:
    losses = [0.5, 0.4, 0.3, bad]
    trainer = Engine(lambda engine, _batch: [{"loss": losses[engine.state.iteration - 1]}])
    trainer.network = torch.nn.Linear(1, 1)
    NonFiniteLossGuard("models").attach(trainer)
    with pytest.raises(ValueError, match=rf"loss is {bad} at iteration 4 \(epoch 2\).*epoch 1 is in models"):
        trainer.run([0, 1, 2], max_epochs=2)
    assert trainer.state.iteration == 4


def test_a_network_of_background_alone_is_warned_of_and_then_stopped(caplog: pytest.LogCaptureFixture) -> None:
    guard, engine = CollapseGuard(patience=3), evaluator(row(0, 0, 0), row(0, 1, 2))
    guard.attach(engine)
    with caplog.at_level(logging.WARNING):
        engine.run([0])
        engine.run([0])
    assert "background only (2 validation(s) in a row)" in caplog.text
    with pytest.raises(ValueError, match="collapsed"):
        engine.run([0])


def test_a_network_that_recovers_goes_on() -> None:
    guard = CollapseGuard(patience=2)
    collapsed, healthy = evaluator(row(0, 0), row(1, 2)), evaluator(row(0, 2), row(1, 2))
    for engine in (collapsed, healthy, collapsed):
        if not engine.has_event_handler(guard.judge):
            guard.attach(engine)
        engine.run([0])
    assert guard.collapsed_runs == 1


def test_a_class_that_is_never_predicted_is_named(caplog: pytest.LogCaptureFixture) -> None:
    guard, engine = CollapseGuard(), evaluator(row(0, 1, 1), row(0, 1, 2))
    guard.attach(engine)
    with caplog.at_level(logging.WARNING):
        engine.run([0])
    assert "[2] are in the labels and were never predicted" in caplog.text


def test_labels_without_foreground_are_no_collapse() -> None:
    guard, engine = CollapseGuard(), evaluator(row(0, 0), row(0, 0))
    guard.attach(engine)
    engine.run([0])
