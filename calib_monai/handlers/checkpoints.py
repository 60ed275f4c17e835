"""Checkpoints: whole whenever a run is killed, and with all that a training needs to go on as if it had not been."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.handlers.checkpoint import BaseSaveHandler
from monai.engines import Trainer
from monai.handlers import CheckpointSaver

from calib_monai.made_for import FILE as MADE_FOR
from calib_monai.made_for import differences
from calib_monai.processes import is_first_process
from calib_monai.whole_files import whole_file, write_json

NAME = re.compile(r"checkpoint_epoch=(\d+)\.pt")


class DurableFiles(BaseSaveHandler):
    """Where Ignite's `Checkpoint` saves: a file takes the place of the one before only when it is on the disk.

    Args:
        folder: of the files; it is made.
        filename: the one name of all of them, if they have one.
        outdated: names of files of an earlier training that the first one replaces.
        made_for: content of the `model.json` that is written with each file, if any.
    """

    def __init__(
        self,
        folder: str,
        filename: str | None = None,
        outdated: Sequence[str] = (),
        made_for: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.filename = filename
        self.outdated = list(outdated)
        self.made_for = made_for

    def __call__(self, checkpoint: Mapping[str, Any], filename: str, metadata: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Save, then remove what is outdated."""
        if not is_first_process():
            return
        name = self.filename or filename
        if self.made_for is not None:  # first: a model must never lie beside what another was made for
            write_json(self.folder / MADE_FOR, self.made_for)
        with whole_file(self.folder / name) as file:
            torch.save(checkpoint, file)
        for old in self.outdated:
            if old != name:
                (self.folder / old).unlink(missing_ok=True)
        self.outdated = []

    def remove(self, filename: str) -> None:
        """Note that a file can go once the next one is there."""
        if self.filename is None:
            self.outdated.append(filename)


class DurableCheckpointSaver(CheckpointSaver):
    """MONAI's `CheckpointSaver`, whose files are whole at any moment and which can go on.

    MONAI's writes in place and removes the old file first: a run that is killed then has none.

    Args:
        save_dir: folder of the files.
        save_dict: what is saved, by name.
        made_for: of the model with the best metric, the content of the `model.json` beside it.
        kwargs: as of MONAI's.
    """

    def __init__(
        self, save_dir: str, save_dict: dict[str, Any], made_for: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(save_dir, save_dict, **kwargs)
        earlier = [path.name for path in checkpoints_in(Path(save_dir)).values()] if kwargs.get("n_saved") == 1 else []
        for checkpoint, files in (
            (self._key_metric_checkpoint, DurableFiles(save_dir, kwargs.get("key_metric_filename"), made_for=made_for)),
            (self._final_checkpoint, DurableFiles(save_dir, kwargs.get("final_filename"))),
            (self._interval_checkpoint, DurableFiles(save_dir, outdated=earlier)),
        ):
            if checkpoint is not None:
                checkpoint.save_handler = files  # type: ignore[assignment]

    def remove_outdated(self) -> None:
        """Remove all checkpoints but the last: a run that was killed while it wrote that one left another."""
        if self._interval_checkpoint is not None and self._interval_checkpoint.n_saved == 1:
            found = checkpoints_in(Path(self.save_dir))
            for epoch in sorted(found)[:-1]:
                found[epoch].unlink()

    def state_dict(self) -> dict[str, Any]:
        """The best metric so far and the file that has it, for MONAI's `load_state_dict`."""
        best = self._key_metric_checkpoint
        return {} if best is None else dict(best.state_dict())


class ValidationState:
    """What a validation remembers from epoch to epoch: the best metric, and what its handlers do.

    Args:
        evaluator: MONAI's.
        handlers: its handlers; those that have a `state_dict` are kept, one of each class.
    """

    def __init__(self, evaluator: Engine, handlers: Sequence[Any]) -> None:
        self.evaluator = evaluator
        self.parts = {type(handler).__name__: handler for handler in handlers if hasattr(handler, "state_dict")}

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers and names."""
        state = self.evaluator.state
        best = {"best_metric": float(state.best_metric), "best_metric_epoch": int(state.best_metric_epoch)}  # type: ignore[attr-defined]
        return best | {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        for name in ("best_metric", "best_metric_epoch"):
            setattr(self.evaluator.state, name, state[name])
        for name, part in self.parts.items():
            part.load_state_dict(state[name])


class GradientScale:
    """The scale of gradients of a training with `amp`, which MONAI's trainer makes anew when it starts.

    Args:
        trainer: MONAI's.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def state_dict(self) -> dict[str, Any]:
        """As of PyTorch's scaler; empty without one."""
        scaler = self.trainer.scaler
        return {} if scaler is None else dict(scaler.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave, once the trainer has started."""

        def load() -> None:
            if state and self.trainer.scaler is not None:
                self.trainer.scaler.load_state_dict(dict(state))

        self.trainer.add_event_handler(Events.STARTED, load)


class Settings:
    """What a training was asked for: one that goes on must be asked for the same, or would be half of each.

    Args:
        settings: by name, plain values or dictionaries of them; of a module, as a loss, its class and its plain
            attributes count.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings: dict[str, Any] = {}
        for name, value in settings.items():
            self.settings |= _values_of(name, value)

    def state_dict(self) -> dict[str, Any]:
        """All of them, those of a module as `name#attribute`."""
        return self.settings

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raise ValueError if a setting was another, or if the checkpoint does not know one."""
        for name, there in state.items():
            for what, mine, other in differences(name, self.settings.get(name), there):
                check_same(what, other, mine)
        unknown = sorted(self.settings.keys() - state.keys())
        if unknown:
            raise ValueError(f"it does not say its {', '.join(unknown)}: another version wrote it")


def _values_of(name: str, value: Any) -> dict[str, Any]:
    """A setting in values that a checkpoint can hold."""
    if isinstance(value, Mapping):
        return {f"{name}#{key}": part for key, part in value.items()}
    if not isinstance(value, torch.nn.Module):
        return {name: value}
    found: dict[str, Any] = {name: type(value).__name__}
    for place, module in value.named_modules():
        for key, attribute in vars(module).items():
            if isinstance(attribute, bool | int | float | str) and key != "training":
                found["#".join(filter(None, (name, place, key)))] = attribute
    return found


def check_same(name: str, there: Any, here: Any) -> None:
    """Raise ValueError if a setting of a checkpoint's training is not that of this one."""
    if here != there:
        raise ValueError(f"it is of a training with {name} {there}, here it is {here}")


def checkpoints_in(folder: Path) -> dict[int, Path]:
    """The checkpoints in a folder by their epoch."""
    found = {path: NAME.fullmatch(path.name) for path in folder.glob("checkpoint_epoch=*.pt")}
    return {int(match[1]): path for path, match in found.items() if match}
