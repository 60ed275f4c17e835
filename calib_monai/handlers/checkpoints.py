"""Checkpoints: complete even if a run is killed, with the whole state that a training needs to continue."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.handlers.checkpoint import BaseSaveHandler
from monai.engines import Trainer
from monai.handlers import CheckpointSaver

from calib_monai.descriptions import OTHERS
from calib_monai.made_for import FILE as MADE_FOR
from calib_monai.made_for import WEIGHTS, differences
from calib_monai.posthoc.files import digest_of_files
from calib_monai.processes import is_first_process
from calib_monai.whole_files import whole_file, write_json

LATER = ("batch_size", "key_metric", "random_views#", f"made_for#{OTHERS}")  # settings of no earlier version, by start
WAITS = "waits"  # the key of the name of a best model that is written after the checkpoint with its weights
NAME = re.compile(r"checkpoint_epoch=(\d+)\.pt")


class DurableFiles(BaseSaveHandler):
    """The save handler of Ignite's `Checkpoint`: a file replaces the earlier one only after it is complete on disk.

    Args:
        folder: folder of the files; it is made if needed.
        filename: the name of all files, if they share one.
        outdated: names of files of an earlier training, which the first file replaces.
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
        self.must_wait: Callable[[], bool] = lambda: False
        self.waiting: tuple[Mapping[str, Any], str] | None = None

    def __call__(self, checkpoint: Mapping[str, Any], filename: str, metadata: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Save, then remove outdated files; while `must_wait` says so, keep it for `write_waiting` instead."""
        self.waiting = checkpoint, filename
        if not self.must_wait():
            self.write_waiting()

    def write_waiting(self) -> None:
        """Save what was kept, if there is something."""
        waiting, self.waiting = self.waiting, None
        if waiting and is_first_process():
            self._write(*waiting)

    def _write(self, checkpoint: Mapping[str, Any], filename: str) -> None:
        """Save, then remove outdated files."""
        name = self.filename or filename
        with whole_file(self.folder / name) as file:
            torch.save(checkpoint, file)
            if self.made_for is not None:  # before the model, which must not lie beside what another training says
                file.flush()
                weights = digest_of_files([Path(file.name)])
                write_json(self.folder / MADE_FOR, {**self.made_for, WEIGHTS: weights})
        for old in self.outdated:
            if old != name:
                (self.folder / old).unlink(missing_ok=True)
        self.outdated = []

    def has(self, checkpoint: Mapping[str, Any], filename: str) -> bool:
        """Whether the file that would be saved is there, to the bit."""
        path, content = self.folder / (self.filename or filename), io.BytesIO()
        torch.save(checkpoint, content)
        return path.is_file() and path.read_bytes() == content.getvalue()

    def remove(self, filename: str) -> None:
        """Note that a file can go once the next one is there."""
        if self.filename is None:
            self.outdated.append(filename)


class DurableCheckpointSaver(CheckpointSaver):
    """MONAI's `CheckpointSaver` with files that are complete at any moment, and with a state that can be resumed.

    MONAI's saver removes the old file first and writes in place. A run that is killed then has no checkpoint.

    Args:
        save_dir: folder of the files.
        save_dict: the saved objects by name.
        made_for: the content of `model.json`, which is written beside the model with the best metric.
        kwargs: as in MONAI's.
    """

    def __init__(
        self, save_dir: str, save_dict: dict[str, Any], made_for: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(save_dir, save_dict, **kwargs)
        earlier = [path.name for path in checkpoints_in(Path(save_dir)).values()] if kwargs.get("n_saved") == 1 else []
        best = DurableFiles(save_dir, kwargs.get("key_metric_filename"), made_for=made_for)
        for checkpoint, files in (
            (self._key_metric_checkpoint, best),
            (self._final_checkpoint, DurableFiles(save_dir, kwargs.get("final_filename"))),
            (self._interval_checkpoint, DurableFiles(save_dir, outdated=earlier)),
        ):
            if checkpoint is not None:
                checkpoint.save_handler = files  # type: ignore[assignment]
        self._best = None if self._key_metric_checkpoint is None else best
        self.waited = ""

    def remove_outdated(self) -> None:
        """Remove all checkpoints but the last; a run that was killed while it saved may leave two."""
        if self._interval_checkpoint is not None and self._interval_checkpoint.n_saved == 1:
            found = checkpoints_in(Path(self.save_dir))
            for epoch in sorted(found)[:-1]:
                found[epoch].unlink()

    def wait_for(self, trainer: Engine) -> None:
        """Write a best model only by `write_best_model` if it is validated at the end of an epoch of a trainer."""
        if self._best is not None:
            self._best.must_wait = lambda: trainer.last_event_name == Events.EPOCH_COMPLETED

    def write_best_model(self) -> None:
        """Write the best model that waits, if one does."""
        if self._best is not None:
            self._best.write_waiting()

    def write_missing_model(self) -> None:
        """Write the best model if its weights are in the loaded checkpoint, and a killed run did not write its file."""
        if self._best is None or not self.waited or not is_first_process():
            return
        states = {name: part.state_dict() for name, part in self.save_dict.items()}
        content = states if len(states) > 1 else next(iter(states.values()))  # as Ignite does
        if not self._best.has(content, self.waited):
            self._best(content, self.waited)

    def state_dict(self) -> dict[str, Any]:
        """The best metric so far and its file, for `load_state_dict`, and the name of the file if it waits."""
        if self._key_metric_checkpoint is None or self._best is None:
            return {}
        waiting = self._best.waiting
        return {**self._key_metric_checkpoint.state_dict(), WAITS: waiting[1] if waiting else ""}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a result of `state_dict`; one of an earlier version names no file that waits."""
        super().load_state_dict(state_dict)
        self.waited = state_dict.get(WAITS, "")


class ValidationState:
    """The state of a validation from epoch to epoch: the best metric, and the state of its handlers.

    Args:
        evaluator: MONAI's evaluator.
        handlers: its handlers; handlers with a `state_dict` are kept, one of each class.
    """

    def __init__(self, evaluator: Engine, handlers: Sequence[Any]) -> None:
        self.evaluator = evaluator
        self.parts = {_name_of(handler): handler for handler in handlers if hasattr(handler, "state_dict")}

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers and names."""
        state = self.evaluator.state
        best = {"best_metric": float(state.best_metric), "best_metric_epoch": int(state.best_metric_epoch)}  # type: ignore[attr-defined]
        return best | {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a result of `state_dict`."""
        for name in ("best_metric", "best_metric_epoch"):
            setattr(self.evaluator.state, name, state[name])
        for name, part in self.parts.items():
            part.load_state_dict(state[name])


def _name_of(handler: Any) -> str:
    """The name under which a checkpoint keeps the state of a handler: that of its class, or of an earlier one."""
    return str(getattr(handler, "saved_as", type(handler).__name__))


class GradientScale:
    """The gradient scale of a training with `amp`, which MONAI's trainer makes anew when it starts.

    Args:
        trainer: MONAI's trainer.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def state_dict(self) -> dict[str, Any]:
        """The state of PyTorch's scaler; empty if there is no scaler."""
        scaler = self.trainer.scaler
        return {} if scaler is None else dict(scaler.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave, once the trainer has started."""

        def load() -> None:
            if state and self.trainer.scaler is not None:
                self.trainer.scaler.load_state_dict(dict(state))

        self.trainer.add_event_handler(Events.STARTED, load)


class Settings:
    """The settings of a training; a resumed training must have the same.

    Args:
        settings: plain values or dictionaries of them, by name. A module, such as a loss, counts by its class and its
            plain attributes.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings: dict[str, Any] = {}
        for name, value in settings.items():
            self.settings |= _values_of(name, value)

    def state_dict(self) -> dict[str, Any]:
        """All settings; attributes of a module are called `name#attribute`."""
        return self.settings

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raise ValueError if a setting differs, or if the checkpoint lacks one that its version wrote."""
        for name, there in state.items():
            for what, mine, other in differences(name, self.settings.get(name), there):
                check_same(what, other, mine)
        unknown = sorted(name for name in self.settings.keys() - state.keys() if not name.startswith(LATER))
        if unknown:
            raise ValueError(f"it does not say its {', '.join(unknown)}: another version wrote it")


def _values_of(name: str, value: Any) -> dict[str, Any]:
    """A setting as plain values, which a checkpoint can hold."""
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
