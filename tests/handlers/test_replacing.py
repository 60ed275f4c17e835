"""Replacing: a training replaces another only where it may; a model and its files stay together."""

from __future__ import annotations

from pathlib import Path

import pytest
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser
from torch import nn

from calib_monai.handlers import go_on, resuming
from calib_monai.handlers.checkpoints import DurableCheckpointSaver
from calib_monai.handlers.resuming import last_checkpoint
from calib_monai.running import Given


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            ["checkpoint_epoch=5.pt", "model.pt"],
            "checkpoint_epoch=5.pt of an earlier training: go on with it by --resume True, set another",
        ),
        (["model.pt"], "model.pt of an earlier training: set another --ckpt_dir"),
        (["model.json"], "model.json of an earlier training: set another --ckpt_dir"),
    ],
)
def test_an_earlier_training_is_replaced_only_where_that_is_asked_for(
    tmp_path: Path, names: list[str], said: str
) -> None:
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "split.json").touch()
    with pytest.raises(ValueError, match=f"{tmp_path} holds {said}.*or replace it by --overwrite True"):
        last_checkpoint(str(tmp_path), resume=False)
    assert last_checkpoint(str(tmp_path), resume=False, overwrite=True) is None
    assert {path.name for path in tmp_path.iterdir()} == {*names, "split.json"}


def test_the_history_of_another_training_is_replaced_only_where_that_is_asked_for(tmp_path: Path) -> None:
    models, results = tmp_path / "models", tmp_path / "eval"
    results.mkdir()
    given = {"ckpt_dir": str(models), "output_dir": str(results)}
    assert last_checkpoint(**given, resume=False) is None
    (results / "history.csv").touch()
    with pytest.raises(ValueError, match=f"{results} holds history.csv of an earlier .* by --overwrite True"):
        last_checkpoint(**given, resume=False)
    assert last_checkpoint(**given, resume=False, overwrite=True) is None
    assert last_checkpoint(**given, resume=True) is None


@pytest.mark.parametrize(
    ("handler", "replaced"),
    [
        ({"_target_": "CheckpointLoader"}, True),
        ({"_target_": "monai.handlers.CheckpointLoader", "_disabled_": False}, True),
        ({"_target_": "CheckpointLoader", "_disabled_": True}, False),
        ({"_target_": "CheckpointLoader", "_disabled_": "true"}, False),
        ("@train#other", False),
    ],
)
def test_a_model_is_replaced_by_what_goes_on_from_it(
    tmp_path: Path,
    handler: object,
    replaced: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "model.pt").touch()
    one = handler | {"load_path": str(tmp_path / "model.pt")} if isinstance(handler, dict) else handler
    config = ConfigParser({"train": {"handlers": [one], "other": {}}})
    monkeypatch.setattr(resuming, "given_in_python", lambda: Given(config, [], {}, None))
    if replaced:
        assert last_checkpoint(str(tmp_path), resume=False) is None
    else:
        with pytest.raises(ValueError, match=r"model.pt of an earlier training"):
            last_checkpoint(str(tmp_path), resume=False)


class Split:
    """Cases whose split replaces that beside a model."""

    def __init__(self, replaced: Path) -> None:
        self.replaced = replaced

    def write_split(self, path: Path) -> None:
        path.write_text("of the new training")


def test_another_split_goes_beside_the_model_when_the_old_model_goes(tmp_path: Path) -> None:
    def state() -> dict[str, str]:
        return {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*.*")}

    def works_until(step: int) -> None:
        def work(engine: Engine, _batch: object) -> None:
            if engine.state.iteration == step:
                raise RuntimeError("out of memory")

        trainer = Engine(work)
        saver = DurableCheckpointSaver(str(tmp_path), {"network": nn.Linear(2, 2)})
        go_on(trainer, saver, None, Split(tmp_path / "split.json"))
        with pytest.raises(RuntimeError, match="out of memory"):
            trainer.run([1, 2, 3], max_epochs=2)

    names = ("model.pt", "split.json", "conformal_none.safetensors")
    old = dict.fromkeys(names, "of the old training")
    for name, text in old.items():
        (tmp_path / name).write_text(text)
    works_until(1)
    assert state() == old
    for _ in range(2):
        works_until(2)
        assert state() == {f"replaced/{name}": text for name, text in old.items()} | {
            "split.json": "of the new training"
        }
    works_until(4)
    assert state() == {"split.json": "of the new training"}


def test_the_split_of_a_model_that_was_set_aside_follows_it(tmp_path: Path) -> None:
    (tmp_path / "replaced").mkdir()
    (tmp_path / "replaced" / "model.pt").write_text("of the old training")
    (tmp_path / "split.json").write_text("of the old training, and of one that failed in its first epoch")
    trainer, texts = Engine(lambda *_: None), []
    saver = DurableCheckpointSaver(str(tmp_path), {"network": nn.Linear(2, 2)})
    go_on(trainer, saver, None, Split(tmp_path / "split.json"))
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda: texts.append((tmp_path / "replaced" / "split.json").read_text())
    )
    trainer.run([1])
    assert texts == ["of the old training, and of one that failed in its first epoch"]


@pytest.mark.parametrize("first", ["model.pt", "model.json"])
def test_a_model_never_lies_beside_what_another_was_made_for(tmp_path: Path, first: str) -> None:
    aside = tmp_path / "replaced"
    aside.mkdir()
    (aside / first).write_text("of the first training")
    for name in ("model.pt", "model.json"):
        (tmp_path / name).write_text("of one that failed in its first epoch")
    trainer, files = Engine(lambda _engine, _batch: None), []
    go_on(trainer, DurableCheckpointSaver(str(tmp_path), {"network": nn.Linear(2, 2)}), None)
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda: files.extend(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    )
    trainer.run([1])
    assert sorted(map(str, files)) == ["replaced", f"replaced/{first}"]
