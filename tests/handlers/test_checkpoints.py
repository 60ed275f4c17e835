"""Checkpoints: what is there is whole, and a training goes on from it or says why not."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from calib_monai.handlers import DurableCheckpointSaver, History, ValidationState, go_on, last_checkpoint
from calib_monai.handlers.checkpoints import DurableFiles


class Counting:
    """A handler with a state."""

    def __init__(self, count: int = 0) -> None:
        self.count = count

    def state_dict(self) -> dict[str, int]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.count = state["count"]


def trained(folder: Path, epochs: int, network: nn.Module, checkpoint: dict[str, Any] | None = None) -> Engine:
    """A trainer that has run, and saved its network after each epoch."""
    trainer = Engine(lambda _engine, batch: batch)
    trainer.state.max_epochs = epochs
    saver = DurableCheckpointSaver(str(folder), {"network": network, "trainer": trainer}, save_interval=1, n_saved=1)
    saver.attach(trainer)
    go_on(trainer, saver, checkpoint)
    trainer.run([1, 2], max_epochs=epochs)
    return trainer


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


def test_a_training_goes_on_after_its_last_epoch(tmp_path: Path) -> None:
    trained(tmp_path, 10, nn.Linear(2, 2))
    checkpoint = last_checkpoint(str(tmp_path), resume=True)
    network = nn.Linear(2, 2)
    trainer = trained(tmp_path, 12, network, checkpoint)
    assert trainer.state.epoch == 12
    assert trainer.state.iteration == 24
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint_epoch=12.pt"]
    assert checkpoint is not None
    assert torch.equal(network.weight, checkpoint["network"]["weight"])


def test_a_new_training_replaces_the_checkpoints_of_an_earlier_one(tmp_path: Path) -> None:
    trained(tmp_path, 5, nn.Linear(2, 2))
    trained(tmp_path, 2, nn.Linear(2, 2))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint_epoch=2.pt"]


def test_without_a_checkpoint_a_training_starts_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert last_checkpoint(str(tmp_path), resume=False) is None
    assert not caplog.records
    assert last_checkpoint(str(tmp_path / "new"), resume=True) is None
    assert "there is no checkpoint in" in caplog.text


def test_a_training_that_has_had_its_epochs_ends_well(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trained(tmp_path, 2, nn.Linear(2, 2))
    with pytest.raises(SystemExit) as ended:
        trained(tmp_path, 2, nn.Linear(2, 2), last_checkpoint(str(tmp_path), resume=True))
    assert ended.value.code == 0
    assert "has had its 2 epoch(s): there is nothing to resume" in caplog.text


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    trained(tmp_path, 2, nn.Linear(2, 2))
    with pytest.raises(SystemExit, match=r"error: the checkpoint in .* does not fit: .*; resume with the options"):
        trained(tmp_path, 3, nn.Linear(2, 3), last_checkpoint(str(tmp_path), resume=True))


def test_an_optimizer_with_other_settings_is_refused(tmp_path: Path) -> None:
    def adapting(learning_rate: float, **settings: Any) -> DurableCheckpointSaver:
        optimizer = torch.optim.Adam(nn.Linear(2, 2).parameters(), lr=learning_rate, **settings)
        torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1])
        return DurableCheckpointSaver(str(tmp_path), {"optimizer": optimizer})

    saved = adapting(0.01).save_dict["optimizer"]
    saved.param_groups[0]["lr"] = 0.001  # what a scheduler does
    trainer = Engine(lambda _engine, batch: batch)
    checkpoint = {"optimizer": saved.state_dict()}
    go_on(trainer, adapting(0.01, fused=True), checkpoint)
    with pytest.raises(SystemExit, match=r"with initial_lr 0\.01, here it is 0\.1; resume with the options"):
        go_on(trainer, adapting(0.1), checkpoint)
    with pytest.raises(SystemExit, match=r"with betas \(0\.9, 0\.999\), here it is \(0\.5, 0\.999\)"):
        go_on(trainer, adapting(0.01, betas=(0.5, 0.999)), checkpoint)


def test_the_scale_of_gradients_is_kept_where_there_is_one(tmp_path: Path) -> None:
    scalers = [torch.GradScaler("cpu", init_scale=scale) for scale in (8.0, 2.0)]
    savers = [DurableCheckpointSaver(str(tmp_path), {"scaler": scaler}) for scaler in scalers]
    go_on(Engine(lambda _engine, batch: batch), savers[1], {"scaler": scalers[0].state_dict()})
    assert scalers[1].get_scale() == 8
    saver = DurableCheckpointSaver(str(tmp_path), {"scaler": None, "data": scalers[0]})
    assert list(saver.save_dict) == ["data"]


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoint_epoch=3.pt").write_bytes(b"half")
    with pytest.raises(SystemExit, match=r"error: .*checkpoint_epoch=3.pt is damaged \(.*\): remove it to start again"):
        last_checkpoint(str(tmp_path), resume=True)


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
