"""Resuming: a training continues from its last checkpoint, or replaces an earlier training."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree
from typing import Any, Protocol

import torch
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint
from monai.handlers import CheckpointLoader, CheckpointSaver

from calib_monai.checks import REPLACED, SPLIT_FILE, check_last_batch
from calib_monai.handlers.checkpoints import DurableCheckpointSaver, check_same, checkpoints_in
from calib_monai.handlers.history import FILE as HISTORY
from calib_monai.handlers.schedules import check_rates, plan_after
from calib_monai.handlers.training_checks import enabled_handlers
from calib_monai.locks import has_begun
from calib_monai.made_for import FILE as MADE_FOR
from calib_monai.posthoc.files import MODEL
from calib_monai.processes import is_first_process
from calib_monai.running import given_in_python
from calib_monai.slices import SliceLoader
from calib_monai.stored import StoredCheckpoint, checked

logger = logging.getLogger(__name__)

TRAINING = "training"  # the name of its locks
SCORES = "conformal_*.safetensors"
WRITTEN = ("checkpoint_epoch=*.pt", MODEL, MADE_FOR, SPLIT_FILE)  # beside the model
IMPLEMENTATIONS = {"fused", "foreach", "capturable", "differentiable"}  # of an optimizer: the same steps, to rounding


class ReplacesSplit(Protocol):
    """Cases of a training, such as `calib_monai.cases.Cases`.

    Attributes:
        replaced: file of another split, beside the model that this training replaces; None where there is none.
    """

    replaced: Path | None

    def write_split(self, path: Path) -> None:
        """Write the split of this training."""


def last_checkpoint(
    ckpt_dir: str, *, resume: bool, overwrite: bool = False, output_dir: str | None = None
) -> dict[str, Any] | None:
    """The content of the last checkpoint of a training; None if there is none, or if nothing is resumed.

    Its tensors are on the CPU; `load_state_dict` moves them to their device. An optimizer that counts its steps on the
    CPU would wait for a GPU at every step if the counts were on the GPU.

    Args:
        ckpt_dir: folder of the checkpoints.
        resume: whether to continue the training there.
        overwrite: whether a training that is not resumed may be replaced.
        output_dir: folder of the `history.csv` of a training, which is protected, too.

    Raises:
        ValueError: a file is damaged, or would be replaced; the message names it.
    """
    path = _last_file(ckpt_dir, output_dir, resume=resume, overwrite=overwrite)
    if path is None and resume:
        logger.warning("there is no checkpoint in %s to resume: the training starts at its first epoch", ckpt_dir)
    return None if path is None else _read(path)


def check_earlier(ckpt_dir: str, output_dir: str, *, resume: bool, overwrite: bool) -> None:
    """Raise ValueError as `last_checkpoint` does, before it reads the weights."""
    if path := _last_file(ckpt_dir, output_dir, resume=resume, overwrite=overwrite):
        _read(path, mmap=True)


def _last_file(ckpt_dir: str, output_dir: str | None, *, resume: bool, overwrite: bool) -> Path | None:
    """The last checkpoint, None if nothing is resumed; raise ValueError if an earlier training would be replaced."""
    if resume and overwrite:
        raise ValueError("resume and overwrite are both True: a training goes on, or replaces the one there is")
    found, left = checkpoints_in(Path(ckpt_dir)), _left_in(Path(ckpt_dir))
    if resume and left and not found and not has_begun(ckpt_dir, TRAINING):  # else it was killed in its first epoch
        raise ValueError(
            f"{ckpt_dir} holds {left[0].name} and no checkpoint to resume: set another --ckpt_dir, or replace it by "
            "--overwrite True"
        )
    if resume:
        return found[max(found)] if found else None
    left += [] if output_dir is None else Path(output_dir).glob(HISTORY)
    if left and not overwrite and not _is_loaded(ckpt_dir):
        goes_on = "go on with it by --resume True, " if found else ""
        raise ValueError(
            f"{left[0].parent} holds {left[0].name} of an earlier training: {goes_on}set another --ckpt_dir "
            "and --output_dir, or replace it by --overwrite True"
        )
    return None


def _read(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """The content of a checkpoint; raise ValueError if it is damaged or none. With `mmap` its tensors are not read."""
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # noqa: BLE001 - each broken file has an error of its own
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}): to start again, give --overwrite True in place of "
            "--resume True"
        ) from None
    if not isinstance(content, Mapping) or "trainer" not in content:
        raise ValueError(f"{path} is no checkpoint of a training: to start again, give --overwrite True")
    checked(content, path, StoredCheckpoint, "to start again, give --overwrite True in place of --resume True")
    return dict(content)


def _is_loaded(ckpt_dir: str) -> bool:
    """Whether the training that runs loads the model of this folder first: it goes on from it, and replaces it."""
    if (given := given_in_python()) is None:
        return False
    for place, _ in enabled_handlers(given.config.get("train#handlers"), CheckpointLoader):
        path = given.config.get_parsed_content(f"train#handlers#{place}#load_path")
        if Path(path).resolve() == Path(ckpt_dir, MODEL).resolve():
            return True
    return False


def go_on(
    trainer: Engine,
    saver: CheckpointSaver,
    checkpoint: Mapping[str, Any] | None = None,
    cases: ReplacesSplit | None = None,
) -> None:
    """Restore a training from a checkpoint. If it has finished all its epochs, its `run` then returns at once.

    Args:
        trainer: the trainer, with the planned number of epochs.
        saver: the saver of the checkpoints.
        checkpoint: from `last_checkpoint`. Without a checkpoint, the files of an earlier training are replaced after
            the first epoch.
        cases: the cases of the training, which know whether the replaced model has another split.

    Raises:
        ValueError: the checkpoint does not fit; the message says why.
    """
    loader = getattr(trainer, "data_loader", None)
    if isinstance(loader, SliceLoader):
        check_last_batch(trainer.network, loader)  # type: ignore[attr-defined] # as MONAI's trainer has
    if checkpoint is None:
        _replace_later(trainer, Path(saver.save_dir), cases)
        return
    rmtree(Path(saver.save_dir) / REPLACED, ignore_errors=True)  # of a training that was killed before it did so
    epochs, parts = trainer.state.max_epochs, saver.save_dict
    (had, planned), rates = _epochs_of(checkpoint), _rates_of(checkpoint, epochs)
    left = epochs is None or had < epochs
    try:
        plan = plan_after(parts.get("lr_scheduler"), had, _steps_of(checkpoint)) if left and rates else None
        _load(trainer, parts, checkpoint)
        if plan is not None:
            check_rates(plan, rates, planned, epochs)
            plan.put(parts["lr_scheduler"])
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        reason = textwrap.shorten(str(error), 300)  # torch's first line says only that there are errors
        raise ValueError(
            f"the checkpoint in {saver.save_dir} does not fit: {reason}; resume with the options it was trained with, "
            "or train anew in another --ckpt_dir and --output_dir"
        ) from None
    if not left:
        trainer.state.max_epochs = None  # of this Ignite makes a new run, which ends when it starts
        trainer.add_event_handler(Events.STARTED, lambda: trainer.terminate(skip_completed=True))
        logger.warning("the training in %s has had its %d epoch(s): there is nothing to resume", saver.save_dir, had)
        if is_first_process() and isinstance(saver, DurableCheckpointSaver):
            saver.remove_outdated()
        return
    trainer.state.max_epochs = epochs
    before = "" if epochs == planned else f" (it was to have {planned})"
    logger.warning("resumed after epoch %d of %s%s, from %s", had, epochs, before, saver.save_dir)


def _epochs_of(checkpoint: Mapping[str, Any]) -> tuple[int, int | None]:
    """The number of finished and of planned epochs of a training."""
    state = checkpoint.get("trainer", {})
    return state.get("iteration", 0) // (state.get("epoch_length") or 1), state.get("max_epochs")


def _steps_of(checkpoint: Mapping[str, Any]) -> int:
    """The number of steps of a training's scheduler."""
    return int(checkpoint.get("lr_scheduler", {}).get("last_epoch", _epochs_of(checkpoint)[0]))


def _rates_of(checkpoint: Mapping[str, Any], epochs: int | None) -> list[float]:
    """The learning rate of each finished epoch; empty if the scheduler continues as it was saved.

    An earlier version did not note the rates; then the present rate counts for all epochs.
    """
    had, planned = _epochs_of(checkpoint)
    groups = checkpoint.get("optimizer", {}).get("param_groups")
    noted = [row.get("learning_rate") for row in checkpoint.get("history", {}).get("rows", [])]
    if len(noted) == had and None not in noted:
        return noted
    return [float(groups[0]["lr"])] * had if groups and epochs != planned else []


def _replace_later(trainer: Engine, folder: Path, cases: ReplacesSplit | None) -> None:
    """Set the files of an earlier training aside when a training starts to work, and remove them after its first epoch.

    If they stayed in place and the new training were killed in its first epoch, they would be taken for its files.
    """
    if is_first_process():
        aside = folder / REPLACED
        trainer.add_event_handler(Events.ITERATION_COMPLETED(once=1), lambda: _set_aside(folder, aside, cases))
        trainer.add_event_handler(Events.EPOCH_COMPLETED(once=1), lambda: rmtree(aside, ignore_errors=True))


def _set_aside(folder: Path, aside: Path, cases: ReplacesSplit | None) -> None:
    """Move the files of an earlier training to a folder; remove those of a training that failed in its first epoch.

    A model, its `model.json` and its split stay together, and never mix with those of another training. A split beside
    this folder belongs to the model inside until another split is there. If this training has another split, its file
    is written after the old one is gone.
    """
    split = cases.replaced if cases else None
    pair = (MODEL, MADE_FOR)
    has_one = any((aside / name).exists() for name in (*pair, SPLIT_FILE))
    for path in [*_left_in(folder), *([split] if split and split.exists() else [])]:
        if has_one if path.name in pair else (aside / path.name).exists():
            path.unlink()
        else:
            aside.mkdir(exist_ok=True)
            path.rename(aside / path.name)
            logger.warning("until this training has had an epoch, what it replaces lies in %s", aside / path.name)
    if cases and split:
        cases.write_split(split)


def _left_in(folder: Path) -> list[Path]:
    """The files of a training in a folder: its checkpoints, its model, its `model.json` and its conformal scores.

    An inference reads the scores without being asked to, and refuses those of another model; calibrators it does not.
    """
    of_model = (path for pattern in (MODEL, MADE_FOR, SCORES) for path in sorted(folder.glob(pattern)))
    return [*checkpoints_in(folder).values(), *of_model]


def _load(trainer: Engine, saved: Mapping[str, Any], checkpoint: Mapping[str, Any]) -> None:
    """Load a checkpoint; raise ValueError if its training had other settings."""
    batches = trainer.state.epoch_length
    if "lr_scheduler" in checkpoint and "lr_scheduler" not in saved:
        raise ValueError("it is of a training whose learning rate an lr_scheduler changed, here there is none")
    _check_optimizer(saved.get("optimizer"), checkpoint.get("optimizer"))
    parts = dict(checkpoint)
    if "model" in saved and "network" in parts:  # as an earlier version called it
        parts["model"] = parts.pop("network")
    Checkpoint.load_objects(to_load=saved, checkpoint=parts)
    if batches not in (None, trainer.state.epoch_length):
        raise ValueError(f"it is of epochs of {trainer.state.epoch_length} batches, and here they have {batches}")


def _check_optimizer(optimizer: Any, saved: Mapping[str, Any] | None) -> None:
    """Raise ValueError if the optimizer, or a setting of it, is another than the saved one, which replaces it."""
    if not isinstance(optimizer, torch.optim.Optimizer) or saved is None:
        return
    for here, there in zip(optimizer.param_groups, saved["param_groups"], strict=False):
        moved = {"lr"} if "initial_lr" in here else set()  # by a scheduler
        moved |= {"momentum", "betas"} if {"base_momentum", "max_momentum"} & here.keys() else set()
        for name in sorted((here.keys() | there.keys()) - {"params"} - IMPLEMENTATIONS - moved):
            # An older torch may not have had what is off.
            check_same(name, there.get(name) or None, here.get(name) or None)
