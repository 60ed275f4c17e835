"""Checkpoints: what is there is whole, and holds all that a training needs to go on."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from torch import nn

from calib_monai.handlers import go_on
from calib_monai.handlers.checkpoints import DurableCheckpointSaver, DurableFiles, GradientScale, ValidationState
from calib_monai.handlers.history import History
from calib_monai.handlers.resuming import last_checkpoint


class Counting:
    """A handler with a state."""

    def __init__(self, count: int = 0) -> None:
        self.count = count

    def state_dict(self) -> dict[str, int]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.count = state["count"]


def test_the_new_checkpoint_is_there_before_the_old_one_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, seen = DurableFiles(str(tmp_path)), []
    save = torch.save

    def noted(*given: Any) -> None:
        seen.append(sorted(path.name for path in tmp_path.iterdir()))
        save(*given)

    monkeypatch.setattr(torch, "save", noted)
    for epoch in (1, 2):
        if epoch > 1:
            files.remove(f"checkpoint_epoch={epoch - 1}.pt")  # Ignite says so before it saves
        files({"epoch": epoch}, f"checkpoint_epoch={epoch}.pt")
    assert seen[1] == [f".unfinished_{os.getpid()}_checkpoint_epoch=2.pt", "checkpoint_epoch=1.pt"]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint_epoch=2.pt"]


@pytest.mark.parametrize("amp", [True, False])
def test_the_scale_of_gradients_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, amp: bool) -> None:
    monkeypatch.setattr(torch.cuda.amp, "GradScaler", partial(torch.GradScaler, "cpu", growth_interval=2))

    def scaled(epochs: int, checkpoint: dict[str, Any] | None = None) -> float | None:
        """The scale after so many epochs of a step each, the state saved."""

        def step(trainer: Any, _batch: Any) -> dict[str, Any]:
            if trainer.scaler is not None:
                trainer.scaler.scale(network(torch.ones(1, 2)).sum()).backward()
                trainer.scaler.step(trainer.optimizer)
                trainer.scaler.update()
            return {}

        network = nn.Linear(2, 2)
        adam = torch.optim.Adam(network.parameters())
        trainer = SupervisedTrainer("cpu", epochs, [{}], network, adam, nn.MSELoss(), iteration_update=step, amp=amp)
        saved = {"scaler": GradientScale(trainer), "trainer": trainer}
        saver = DurableCheckpointSaver(str(tmp_path), saved, save_interval=1, n_saved=1)
        saver.attach(trainer)
        go_on(trainer, saver, checkpoint)
        trainer.run()
        return None if trainer.scaler is None else float(trainer.scaler.get_scale())

    whole = scaled(5)
    scaled(3)
    assert scaled(5, last_checkpoint(str(tmp_path), resume=True)) == whole == (2.0**18 if amp else None)


def test_what_a_validation_remembers_is_kept() -> None:
    evaluators = [Engine(lambda _engine, batch: batch) for _ in range(2)]
    evaluators[0].state.best_metric, evaluators[0].state.best_metric_epoch = torch.tensor(0.5), 4
    kept = ValidationState(evaluators[0], [Counting(7), SimpleNamespace()]).state_dict()
    assert kept == {"best_metric": 0.5, "best_metric_epoch": 4, "Counting": {"count": 7}}
    handler = Counting()
    ValidationState(evaluators[1], [handler]).load_state_dict(kept)
    assert evaluators[1].state.best_metric_epoch == 4
    assert handler.count == 7


def test_the_history_has_a_row_an_epoch_and_goes_on(tmp_path: Path) -> None:
    evaluator, trainer = (Engine(lambda _engine, batch: batch) for _ in range(2))

    def validate(engine: Engine) -> None:
        engine.state.metrics["train_loss"] = 1 / engine.state.epoch
        if engine.state.epoch % 2 == 0:
            evaluator.state.epoch = engine.state.epoch
            evaluator.state.metrics = {"val_dice": torch.tensor(0.5)}

    trainer.add_event_handler(Events.EPOCH_COMPLETED, validate)
    history = History(str(tmp_path), evaluator)
    history.attach(trainer)
    trainer.run([1], max_epochs=2)
    assert (tmp_path / "history.csv").read_text().split() == ["epoch,train_loss,val_dice", "1,1.0,", "2,0.5,0.5"]
    later = History(str(tmp_path), evaluator)
    later.load_state_dict(history.state_dict())
    assert later.rows == history.rows
