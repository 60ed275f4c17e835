"""Checkpoints: whole whenever a run is killed, and with all that a training needs to go on as if it had not been."""

from __future__ import annotations

import logging
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint
from ignite.handlers.checkpoint import BaseSaveHandler
from monai.engines import Trainer
from monai.handlers import CheckpointSaver

from calib_monai.handlers.guards import stop
from calib_monai.posthoc.files import MODEL
from calib_monai.processes import is_first_process
from calib_monai.whole_files import whole_file

logger = logging.getLogger(__name__)

NAME = re.compile(r"checkpoint_epoch=(\d+)\.pt")
IMPLEMENTATIONS = {"fused", "foreach", "capturable", "differentiable"}  # of an optimizer: the same steps, to rounding


class DurableFiles(BaseSaveHandler):
    """Where Ignite's `Checkpoint` saves: a file takes the place of the one before only when it is on the disk.

    Args:
        folder: of the files; it is made.
        filename: the one name of all of them, if they have one.
        outdated: names of files of an earlier training that the first one replaces.
    """

    def __init__(self, folder: str, filename: str | None = None, outdated: Sequence[str] = ()) -> None:
        self.folder = Path(folder)
        self.filename = filename
        self.outdated = list(outdated)

    def __call__(self, checkpoint: Mapping[str, Any], filename: str, metadata: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Save, then remove what is outdated."""
        if not is_first_process():
            return
        name = self.filename or filename
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
        kwargs: as of MONAI's.
    """

    def __init__(self, save_dir: str, save_dict: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(save_dir, save_dict, **kwargs)
        earlier = [path.name for path in _checkpoints(Path(save_dir)).values()] if kwargs.get("n_saved") == 1 else []
        for checkpoint, files in (
            (self._key_metric_checkpoint, DurableFiles(save_dir, kwargs.get("key_metric_filename"))),
            (self._final_checkpoint, DurableFiles(save_dir, kwargs.get("final_filename"))),
            (self._interval_checkpoint, DurableFiles(save_dir, outdated=earlier)),
        ):
            if checkpoint is not None:
                checkpoint.save_handler = files  # type: ignore[assignment]

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
        settings: by name, plain values; of a module, as a loss, its class and its plain attributes count.
    """

    def __init__(self, **settings: Any) -> None:
        self.settings = {key: plain for name, value in settings.items() for key, plain in _plain(name, value).items()}

    def state_dict(self) -> dict[str, Any]:
        """All of them, those of a module as `name#attribute`."""
        return self.settings

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing; raises ValueError where a setting was another."""
        for name, there in state.items():
            _check_same(name, there, self.settings.get(name))


def _plain(name: str, value: Any) -> dict[str, Any]:
    """A setting in values that a checkpoint can hold."""
    if not isinstance(value, torch.nn.Module):
        return {name: value}
    found: dict[str, Any] = {name: type(value).__name__}
    for place, module in value.named_modules():
        for key, attribute in vars(module).items():
            if isinstance(attribute, bool | int | float | str) and key != "training":
                found["#".join(filter(None, (name, place, key)))] = attribute
    return found


def last_checkpoint(
    ckpt_dir: str, *, resume: bool, overwrite: bool = False, map_location: Any = "cpu"
) -> dict[str, Any] | None:
    """What the last checkpoint of a training holds; None where there is none, or nothing is to be resumed.

    Args:
        ckpt_dir: folder of the checkpoints.
        resume: whether the training there is to go on.
        overwrite: whether one that is not resumed may be replaced.
        map_location: device of its tensors.

    Raises:
        SystemExit: with one line that names a file that is damaged, or that would be replaced.
    """
    if resume and overwrite:
        raise SystemExit("error: resume and overwrite are both True: a training goes on, or replaces the one there is")
    found, model = _checkpoints(Path(ckpt_dir)), Path(ckpt_dir) / MODEL
    if not resume:
        earlier = [path.name for path in (*found.values(), model) if path.exists()]
        if earlier and not overwrite:
            goes_on = "go on with it by --resume True, " if found else ""
            raise SystemExit(
                f"error: {ckpt_dir} holds {earlier[0]} of an earlier training: {goes_on}set another --ckpt_dir and "
                "--output_dir, or replace it by --overwrite True"
            )
        return None
    if not found:
        replaced = f", and replaces {model.name}" if model.exists() else ""
        logger.warning(
            "there is no checkpoint in %s to resume: the training starts at its first epoch%s", ckpt_dir, replaced
        )
        return None
    path = found[max(found)]
    try:
        content: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # noqa: BLE001 - each broken file has an error of its own
        raise SystemExit(
            f"error: {path} is damaged ({type(error).__name__}): to start again, give --overwrite True in place of "
            "--resume True"
        ) from None
    return content


def go_on(trainer: Engine, saver: CheckpointSaver, checkpoint: Mapping[str, Any] | None) -> None:
    """Put a training where a checkpoint left it.

    Args:
        trainer: that will run to its own number of epochs.
        saver: of the checkpoints.
        checkpoint: of `last_checkpoint`; without one what an earlier training left beside it goes.

    Raises:
        SystemExit: with one line that says what does not fit, or, with exit code 0, that there is no epoch left.
    """
    if checkpoint is None:
        folder = Path(saver.save_dir)
        # They would be taken for those of this training, if it is killed in its first epoch.
        for path in (*_checkpoints(folder).values(), folder / MODEL) if is_first_process() else ():
            path.unlink(missing_ok=True)
        return
    epochs = trainer.state.max_epochs
    try:
        _load(trainer, saver.save_dict, checkpoint)
    except (KeyError, ValueError, RuntimeError) as error:
        reason = textwrap.shorten(str(error), 300)  # torch's first line says only that there are errors
        stop(f"the checkpoint in {saver.save_dir} does not fit: {reason}; resume with the options it was trained with")
    epoch, planned = trainer.state.epoch, trainer.state.max_epochs
    trainer.state.max_epochs = epochs
    if epochs is not None and epoch >= epochs:
        logger.warning("the training in %s has had its %d epoch(s): there is nothing to resume", saver.save_dir, epoch)
        raise SystemExit(0)
    logger.warning("resumed after epoch %d of %s, from %s", epoch, epochs, saver.save_dir)
    if epochs != planned and "lr_scheduler" in saver.save_dict:
        logger.warning("it was to have %s epochs: what its checkpoint holds of a schedule is still for these", planned)


def _load(trainer: Engine, saved: Mapping[str, Any], checkpoint: Mapping[str, Any]) -> None:
    """Load what a checkpoint holds; ValueError where it is of a training that was asked for something else."""
    batches = trainer.state.epoch_length
    _check_optimizer(saved.get("optimizer"), checkpoint.get("optimizer"))
    Checkpoint.load_objects(to_load=saved, checkpoint=dict(checkpoint))
    if batches not in (None, trainer.state.epoch_length):
        raise ValueError(f"it is of epochs of {trainer.state.epoch_length} batches, and here they have {batches}")


def _check_optimizer(optimizer: Any, saved: Mapping[str, Any] | None) -> None:
    """Nothing; ValueError where the optimizer, or a setting of it, is another than the saved one, which replaces it."""
    if not isinstance(optimizer, torch.optim.Optimizer) or saved is None:
        return
    for here, there in zip(optimizer.param_groups, saved["param_groups"], strict=False):
        moved = {"lr"} if "initial_lr" in here else set()  # by a scheduler
        moved |= {"momentum", "betas"} if {"base_momentum", "max_momentum"} & here.keys() else set()
        for name in sorted((here.keys() | there.keys()) - {"params"} - IMPLEMENTATIONS - moved):
            # An older torch may not have had what is off.
            _check_same(name, there.get(name) or None, here.get(name) or None)


def _check_same(name: str, there: Any, here: Any) -> None:
    """Nothing; ValueError where a setting of a checkpoint's training is not that of this one."""
    if here != there:
        raise ValueError(f"it is of a training with {name} {there}, here it is {here}")


def _checkpoints(folder: Path) -> dict[int, Path]:
    """The checkpoints in a folder by their epoch."""
    found = {path: NAME.fullmatch(path.name) for path in folder.glob("checkpoint_epoch=*.pt")}
    return {int(match[1]): path for path, match in found.items() if match}
