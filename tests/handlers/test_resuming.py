"""Resuming: a training goes on from its last checkpoint, or says why not."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine
from torch import nn

from calib_monai.handlers import go_on
from calib_monai.handlers.checkpoints import DurableCheckpointSaver, Settings
from calib_monai.handlers.history import History
from calib_monai.handlers.resuming import last_checkpoint
from calib_monai.losses import MbLSLoss
from calib_monai.whole_files import write_csv


def trained(folder: Path, epochs: int, network: nn.Module, checkpoint: dict[str, Any] | None = None) -> Engine:
    """A trainer that has run, and saved its network after each epoch."""
    trainer = Engine(lambda _engine, batch: batch)
    trainer.state.max_epochs = epochs
    saver = DurableCheckpointSaver(str(folder), {"network": network, "trainer": trainer}, save_interval=1, n_saved=1)
    saver.attach(trainer)
    go_on(trainer, saver, checkpoint)
    trainer.run([1, 2], max_epochs=epochs)
    return trainer


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


def test_a_checkpoint_of_an_earlier_version_has_another_name_for_the_network(tmp_path: Path) -> None:
    trained(tmp_path, 1, earlier := nn.Linear(2, 2))
    network, trainer = nn.Linear(2, 2), Engine(lambda _engine, batch: batch)
    trainer.state.max_epochs = 2
    saver = DurableCheckpointSaver(str(tmp_path), {"model": network, "trainer": trainer})
    go_on(trainer, saver, last_checkpoint(str(tmp_path), resume=True))
    assert torch.equal(network.weight, earlier.weight)


def test_a_new_training_replaces_the_checkpoints_of_an_earlier_one(tmp_path: Path) -> None:
    trained(tmp_path, 5, nn.Linear(2, 2))
    trained(tmp_path, 2, nn.Linear(2, 2))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint_epoch=2.pt"]


def test_a_training_goes_on_beside_its_own_history_alone(tmp_path: Path) -> None:
    rows = [{"epoch": epoch, "learning_rate": 0.1, "train_loss": 1 / epoch} for epoch in (1, 2, 3)]
    history = History(str(tmp_path), Engine(lambda *_: None))
    history.load_state_dict({"rows": rows[:2]})
    write_csv(tmp_path / "history.csv", [list(rows[0]), *(list(row.values()) for row in rows)])
    history.load_state_dict({"rows": rows[:2]})
    with pytest.raises(ValueError, match=r"history.csv is of another training: in epoch 2 it had other values"):
        history.load_state_dict({"rows": [rows[0], rows[1] | {"train_loss": 0.25}]})


def test_without_a_checkpoint_a_training_starts_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert last_checkpoint(str(tmp_path), resume=False) is None
    assert not caplog.records
    assert last_checkpoint(str(tmp_path / "new"), resume=True) is None
    assert "there is no checkpoint in" in caplog.text
    assert "model.pt" not in caplog.text


def test_a_model_without_a_checkpoint_is_replaced_only_if_asked(tmp_path: Path) -> None:
    (tmp_path / "model.pt").touch()
    with pytest.raises(ValueError, match=r"holds model.pt and no checkpoint to resume: set another --ckpt_dir, or"):
        last_checkpoint(str(tmp_path), resume=True)
    assert last_checkpoint(str(tmp_path), resume=False, overwrite=True) is None
    trained(tmp_path, 1, nn.Linear(2, 2))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint_epoch=1.pt"]


def test_a_training_killed_between_its_first_model_and_its_first_checkpoint_starts_again(tmp_path: Path) -> None:
    (tmp_path / "model.pt").touch()
    (tmp_path / ".training.lock").touch()
    assert last_checkpoint(str(tmp_path), resume=True) is None


def test_an_earlier_training_is_kept_until_the_new_one_has_had_an_epoch(tmp_path: Path) -> None:
    def failed(step: int) -> None:
        """A training that fails in this step, after it has left a model."""

        def work(engine: Engine, _batch: object) -> None:
            if engine.state.iteration == step:
                (tmp_path / "model.pt").write_text("of no epoch")
                raise RuntimeError("out of memory")

        trainer = Engine(work)
        go_on(trainer, DurableCheckpointSaver(str(tmp_path), {"network": nn.Linear(2, 2)}), None)
        with pytest.raises(RuntimeError, match="out of memory"):
            trainer.run([1, 2])

    trained(tmp_path, 5, nn.Linear(2, 2))
    kept = {"checkpoint_epoch=5.pt", "model.pt"}
    failed(1)
    assert {path.name for path in tmp_path.iterdir()} == kept
    (tmp_path / "model.pt").write_text("of five epochs")
    for _ in range(2):
        failed(2)
        assert {path.name for path in tmp_path.iterdir()} == {"replaced", "model.pt"}
        assert {path.name for path in (tmp_path / "replaced").iterdir()} == kept
        assert (tmp_path / "replaced" / "model.pt").read_text() == "of five epochs"
    trained(tmp_path, 2, nn.Linear(2, 2))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint_epoch=2.pt"]


def test_a_training_is_not_both_resumed_and_replaced(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="resume and overwrite are both True"):
        last_checkpoint(str(tmp_path), resume=True, overwrite=True)


def test_a_run_that_was_killed_behind_its_last_checkpoint_leaves_no_other(tmp_path: Path) -> None:
    trained(tmp_path, 3, nn.Linear(2, 2))
    (tmp_path / "checkpoint_epoch=2.pt").write_bytes((tmp_path / "checkpoint_epoch=3.pt").read_bytes())
    trained(tmp_path, 3, nn.Linear(2, 2), last_checkpoint(str(tmp_path), resume=True))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint_epoch=3.pt"]


def test_a_training_that_has_had_its_epochs_returns_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trained(tmp_path, 2, nn.Linear(2, 2))
    [kept] = tmp_path.iterdir()
    before = kept.stat().st_mtime_ns
    for epochs in (2, 1):
        trained(tmp_path, epochs, nn.Linear(2, 2), last_checkpoint(str(tmp_path), resume=True))
    assert kept.stat().st_mtime_ns == before
    assert list(tmp_path.iterdir()) == [kept]
    assert "has had its 2 epoch(s): there is nothing to resume" in caplog.text


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    trained(tmp_path, 2, nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"the checkpoint in .* does not fit: .*; resume with the options"):
        trained(tmp_path, 3, nn.Linear(2, 3), last_checkpoint(str(tmp_path), resume=True))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"seed": 1, "loss": MbLSLoss(margin=5)}, "seed 0, here it is 1"),
        ({"seed": 0, "loss": MbLSLoss(margin=6)}, "loss#margin 5, here it is 6"),
        ({"seed": 0, "loss": nn.MSELoss()}, "loss MbLSLoss, here it is MSELoss"),
        ({"seed": 0}, "loss MbLSLoss, here it is None"),
    ],
)
def test_a_training_that_was_asked_for_something_else_is_not_gone_on_with(settings: dict[str, Any], said: str) -> None:
    kept = Settings(seed=0, loss=MbLSLoss(margin=5)).state_dict()
    Settings(seed=0, loss=MbLSLoss(margin=5).eval()).load_state_dict(kept)
    saver = DurableCheckpointSaver("models", {"settings": Settings(**settings)})
    with pytest.raises(ValueError, match=f"does not fit: it is of a training with {said}; resume with the options"):
        go_on(Engine(lambda *_: None), saver, {"settings": kept})


def test_an_argument_that_another_version_of_monai_knows_is_no_other_training() -> None:
    def made(**arguments: object) -> Settings:
        return Settings(made_for={"intensity": [["ScaleIntensityd", arguments]], "slice_size": [48, 64]})

    kept = made(minv=0, maxv=1).state_dict()
    made(minv=0, maxv=1, channel_wise=False).load_state_dict(kept)
    made(minv=0).load_state_dict(kept)
    with pytest.raises(ValueError, match="training with ScaleIntensityd's maxv 1, here it is 2"):
        made(minv=0, maxv=2).load_state_dict(kept)
    with pytest.raises(ValueError, match=r"training with made_for#intensity \["):
        Settings(made_for={"intensity": [], "slice_size": [48, 64]}).load_state_dict(kept)


def test_a_checkpoint_of_an_earlier_version_does_not_say_views_batch_size_and_key_metric() -> None:
    views = {"probability": 0.5, "scale": (0.75, 1.25)}
    now = {"seed": 0, "batch_size": 16, "key_metric": "val_dice", "random_views": views, "made_for": {}}
    Settings(**now).load_state_dict(Settings(seed=0).state_dict())
    kept = Settings(**now).state_dict()
    Settings(**now).load_state_dict(kept)
    for changed, said in (
        ({"batch_size": 15}, "batch_size 16, here it is 15"),
        ({"key_metric": "val_iou"}, "key_metric val_dice, here it is val_iou"),
        ({"random_views": views | {"probability": 0.0}}, "random_views#probability 0.5, here it is 0.0"),
    ):
        with pytest.raises(ValueError, match=f"training with {said}"):
            Settings(**now | changed).load_state_dict(kept)


def of_optimizer(optimizer: torch.optim.Optimizer) -> DurableCheckpointSaver:
    return DurableCheckpointSaver("models", {"optimizer": optimizer})


def weights() -> list[nn.Parameter]:
    return [nn.Parameter(torch.zeros(2))]


ADAM = torch.optim.Adam(weights(), lr=0.01)


@pytest.mark.parametrize(
    ("optimizer", "said"),
    [
        (torch.optim.Adam(weights(), lr=0.1), "lr 0.01, here it is 0.1"),
        (torch.optim.Adam(weights(), lr=0.01, betas=(0.5, 0.999)), "betas (0.9, 0.999), here it is (0.5, 0.999)"),
        (torch.optim.Adam(weights(), lr=0.01, amsgrad=True), "amsgrad None, here it is True"),
        (torch.optim.SGD(weights(), lr=0.01), "betas (0.9, 0.999), here it is None"),
    ],
)
def test_an_optimizer_with_other_settings_is_refused(optimizer: torch.optim.Optimizer, said: str) -> None:
    rule = re.escape(f"the checkpoint in models does not fit: it is of a training with {said}; resume with")
    with pytest.raises(ValueError, match=f"^{rule}"):
        go_on(Engine(lambda *_: None), of_optimizer(optimizer), {"optimizer": ADAM.state_dict()})


def test_an_optimizer_that_only_computes_otherwise_goes_on() -> None:
    fused = torch.optim.Adam(weights(), lr=0.01, fused=True)
    go_on(Engine(lambda *_: None), of_optimizer(fused), {"optimizer": ADAM.state_dict()})


@pytest.mark.parametrize("of_optimizers", [torch.optim.Adam, partial(torch.optim.SGD, momentum=0.9)])
def test_what_a_scheduler_moved_goes_on(of_optimizers: Callable[..., torch.optim.Optimizer]) -> None:
    def scheduled() -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.OneCycleLR]:
        optimizer = of_optimizers(weights(), lr=0.01)
        return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=9)

    optimizer, scheduler = scheduled()
    before = optimizer.param_groups[0]["lr"]
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] != before
    resumed = of_optimizer(scheduled()[0])
    go_on(Engine(lambda *_: None), resumed, {"optimizer": optimizer.state_dict()})
    assert resumed.save_dict["optimizer"].param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoint_epoch=3.pt").write_bytes(b"half")
    with pytest.raises(ValueError, match=r".*checkpoint_epoch=3.pt is damaged \(.*\): to start again"):
        last_checkpoint(str(tmp_path), resume=True)
