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


def validated(folder: Path, network: nn.Module, **options: Any) -> tuple[Engine, DurableCheckpointSaver]:
    """An evaluator whose key metric is the number of its epoch, and the saver of its best model."""
    evaluator = Engine(lambda engine, _batch: engine.state.metrics.update(dice=float(engine.state.epoch)))
    options = {"key_metric_name": "dice", "key_metric_filename": "model.pt"} | options
    saver = DurableCheckpointSaver(str(folder), {"network": network}, save_key_metric=True, **options)
    saver.attach(evaluator)
    return evaluator, saver


def test_a_best_model_waits_for_the_checkpoint_of_its_epoch(tmp_path: Path) -> None:
    evaluator, saver = validated(tmp_path, network := nn.Linear(1, 1, bias=False))
    trainer, seen = Engine(lambda engine, _batch: nn.init.constant_(network.weight, engine.state.iteration)), []
    saver.wait_for(trainer)
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=2), lambda: evaluator.run([0]))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0], max_epochs=trainer.state.epoch + 1))
    trainer.add_event_handler(
        Events.EPOCH_COMPLETED, lambda: seen.append((kept(tmp_path), saver.state_dict()["waits"]))
    )
    trainer.add_event_handler(Events.EPOCH_COMPLETED, saver.write_best_model)
    trainer.run([0, 0, 0], max_epochs=2)
    name = "network_key_metric={}.pt".format
    assert seen == [(2, name("2.0000")), (3, name("3.0000"))]  # within an epoch no checkpoint follows
    assert kept(tmp_path) == 6
    assert saver.state_dict()["waits"] == ""


def kept(folder: Path) -> float | None:
    """The weight in a best model."""
    return float(torch.load(folder / "model.pt")["weight"]) if (folder / "model.pt").is_file() else None


@pytest.mark.parametrize("filename", ["model.pt", None])
@pytest.mark.parametrize("there", ["nothing", "another model", "the model"])
def test_a_best_model_that_a_killed_run_did_not_write_comes_from_its_checkpoint(
    there: str, filename: str | None, tmp_path: Path
) -> None:
    evaluator, saver = validated(tmp_path, network := nn.Linear(2, 2), key_metric_filename=filename)
    saver.wait_for(SimpleNamespace(last_event_name=Events.EPOCH_COMPLETED))  # type: ignore[arg-type]
    evaluator.run([0])
    state = saver.state_dict()
    path = tmp_path / (filename or "network_key_metric=1.0000.pt")
    if there != "nothing":
        with path.open("wb") as file:
            torch.save((network if there == "the model" else nn.Linear(2, 2)).state_dict(), file)
        os.utime(path, (0, 0))
    _, resumed = validated(tmp_path, network, key_metric_filename=filename)
    resumed.write_missing_model()
    assert path.exists() == (there != "nothing")
    resumed.load_state_dict(state)
    resumed.write_missing_model()
    assert torch.equal(torch.load(path)["weight"], network.weight)
    assert (path.stat().st_mtime == 0) == (there == "the model")
    del state["waits"]  # as an earlier version wrote it
    path.unlink()
    resumed.load_state_dict(state)
    resumed.write_missing_model()
    assert not path.exists()


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
