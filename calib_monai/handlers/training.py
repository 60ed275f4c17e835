"""Handlers of a training: the whole state after each epoch with its history, the best model, a moving average."""

from __future__ import annotations

import sys
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.handlers import EMAHandler
from monai.transforms import Compose

from calib_monai.datalists.split_files import CHECKSUM, checksum_of, names_of
from calib_monai.descriptions import described_transforms
from calib_monai.handlers.checkpoints import DurableCheckpointSaver, GradientScale, Settings, ValidationState
from calib_monai.handlers.history import FILE as HISTORY
from calib_monai.handlers.history import History
from calib_monai.handlers.resuming import TRAINING, WRITTEN, go_on, last_checkpoint
from calib_monai.handlers.training_checks import best_models
from calib_monai.locks import hold, release
from calib_monai.made_for import MadeFor
from calib_monai.methods import with_method
from calib_monai.networks import unwrapped
from calib_monai.posthoc.files import MODEL
from calib_monai.running import given_in_python


class TrainingSaver:
    """After each epoch of a trainer, writes `history.csv` and a checkpoint with all that the training needs to resume.

    The checkpoint holds network, optimizer, learning rates, gradient scale, loss, order of the slices, validation,
    history and trainer. It also holds the settings that a resumed training must share: seed, augmentation, views, loss,
    batch size, key metric, how patches are drawn, and what the model is made for. If the validation has a network of
    its own, such as a moving average, this is kept too.

    The best model is written after the checkpoint that holds the same weights. So it is always of an epoch in the
    history of a checkpoint. If a run is killed between the two, resuming writes it from the checkpoint.

    When a `SliceTrainer` runs, the files of an earlier training are continued or replaced, see `go_on`.

    Args:
        cases: the cases of the training, see `calib_monai.cases.Cases`.
        evaluator: the `VolumeEvaluator` of the validation.
        made_for: what the model is made for.
        ckpt_dir: folder of the checkpoints.
        output_dir: folder of the history.
        overwrite: whether an earlier training may be replaced that is not continued.
        lr_scheduler: what changes the learning rate, None if it stays.
        resume: whether to continue the training in `ckpt_dir`.
        transforms: of a case on its way to the network, by default those of `made_for`.
    """

    def __init__(
        self,
        cases: Any,
        evaluator: Any,
        made_for: MadeFor,
        ckpt_dir: str,
        output_dir: str,
        *,
        overwrite: bool,
        lr_scheduler: Any = None,
        resume: bool = False,
        transforms: Compose | None = None,
    ) -> None:
        self.ckpt_dir = ckpt_dir
        self.output_dir = output_dir
        self.overwrite = overwrite
        self.made_for = {**made_for.of_training(cases.geometries), **_described(transforms)}
        self.history = History(output_dir, evaluator)
        self.lr_scheduler = lr_scheduler
        self.evaluator = evaluator
        self.resume = resume
        self.cases = cases
        self.trainer: Any = None

    def attach(self, engine: Engine) -> None:
        """Save each epoch of a trainer. Attach it after the validation."""
        self.trainer = engine
        self.history.attach(engine)
        engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: self.saver.interval_completed(engine))
        for saver in self.savers_of_best:
            saver.wait_for(engine)
            for event in (Events.EPOCH_COMPLETED, Events.EPOCH_STARTED, Events.COMPLETED):  # if validated after this
                engine.add_event_handler(event, saver.write_best_model)
        if hasattr(engine, "starts"):
            engine.starts.append(self.start)

    def start(self) -> None:
        """Continue the training in `ckpt_dir`, or replace its files where that is asked for.

        Raises:
            ValueError: as `last_checkpoint` and `go_on`; or something else than `run` calls a trainer that resumes. A
                client of federated learning does, and the checkpoint would replace the weights that it has set.
        """
        for folder, files in ((self.ckpt_dir, WRITTEN), (self.output_dir, [HISTORY])):
            if folder:
                hold(folder, TRAINING, files)
        if self.resume and given_in_python() is None:
            raise ValueError("resume is True, and the trainer is called by itself: only `run` resumes a training")
        checkpoint = last_checkpoint(
            self.ckpt_dir, resume=self.resume, overwrite=self.overwrite, output_dir=self.output_dir
        )
        go_on(self.trainer, self.saver, checkpoint, self.cases)
        for saver in self.savers_of_best:
            saver.write_missing_model()

    @property
    def savers_of_best(self) -> list[DurableCheckpointSaver]:
        """The handlers of the validation that save its best model."""
        handlers = getattr(self.evaluator, "handlers", [])
        return [one for one in handlers if isinstance(one, DurableCheckpointSaver)]

    @cached_property
    def saver(self) -> DurableCheckpointSaver:
        """The saver of the checkpoints. MONAI attaches handlers before its trainer has a network."""
        trainer, validated = self.trainer, self.evaluator
        network = unwrapped(trainer.network)
        loss = trainer.loss
        settings = {"seed": trainer.data_loader.seed, "loss": loss, "made_for": self.made_for}
        settings |= {"batch_size": trainer.data_loader.batch_size, "random_views": _views_of(trainer)}
        settings["key_metric"] = getattr(validated.state, "key_metric_name", None)
        if hasattr(trainer.prepare_batch, "augment"):  # of slices
            settings["augment"] = trainer.prepare_batch.augment
        settings |= getattr(trainer.data_loader, "settings", {})  # of patches
        saved = {
            "settings": Settings(**settings),
            "model": network,  # as clients of MONAI call it
            "optimizer": trainer.optimizer,
            "scaler": GradientScale(trainer),
            "loss": loss,
            "data": trainer.data_loader,
            "validation": ValidationState(validated, validated.handlers),
            "history": self.history,
            "trainer": trainer,
        }
        if self.lr_scheduler is not None:
            saved["lr_scheduler"] = self.lr_scheduler
        if unwrapped(validated.network) is not network:
            saved["ema"] = unwrapped(validated.network)
        return DurableCheckpointSaver(self.ckpt_dir, saved, save_interval=1, n_saved=1)


class BestModelSaver(DurableCheckpointSaver):
    """Writes the network of an evaluator, as `model.pt` with its `model.json`, when the key metric is the best so far.

    Args:
        network: the network.
        method: the method of the bundle.
        loss: the loss of the training.
        bundle_root: folder of the bundle.
        cases: the cases of the training, see `calib_monai.cases.Cases`.
        made_for: what the model is made for.
        ckpt_dir: folder of the model.
        transforms: of a case on its way to the network, by default those of `made_for`.
    """

    saved_as = DurableCheckpointSaver.__name__  # in a checkpoint

    def __init__(
        self,
        network: torch.nn.Module,
        method: str,
        loss: torch.nn.Module,
        bundle_root: str,
        cases: Any,
        made_for: MadeFor,
        ckpt_dir: str,
        transforms: Compose | None = None,
    ) -> None:
        config = str(Path(bundle_root) / "configs" / "train.json")
        content = {**made_for.written(cases.geometries, cases.options), CHECKSUM: checksum_of(names_of(cases))}
        super().__init__(
            ckpt_dir,
            {"network": unwrapped(network)},
            made_for=with_method({**content, **_described(transforms)}, method, loss, config),
            save_key_metric=True,
            key_metric_filename=MODEL,
        )


def tell_best_model(evaluator: Any) -> None:
    """Print the file of the best model of a training that has ended, if one was saved, and give its locks back.

    Args:
        evaluator: the `VolumeEvaluator` of the validation.
    """
    told = [f"The best model is {file}\n" for file in best_models(evaluator.handlers)]
    sys.stdout.writelines(told or ["No best model was saved\n"])
    release(TRAINING)


class MovingAverage(EMAHandler):
    """Ignite's moving average of a trainer's weights, in a network that is there already: that of the validation.

    Args:
        average: the network that gets the average; before the training a copy of the trained one.
        momentum: the share of the weights of each iteration.
    """

    def __init__(self, average: torch.nn.Module, momentum: float = 0.01) -> None:
        self.average, self.share = average.requires_grad_(requires_grad=False).eval(), momentum

    def attach(self, engine: Engine, *args: Any, **kwargs: Any) -> None:
        """Average after each iteration of a trainer, whose network is there when it starts."""

        def start() -> None:
            if not hasattr(self, "model"):
                super(MovingAverage, self).__init__(engine.network, momentum=self.share, handle_buffers="update")  # type: ignore[attr-defined]
                self.ema_model = self.average
                super(MovingAverage, self).attach(engine, *args, **kwargs)

        engine.add_event_handler(Events.STARTED, start)


def _views_of(trainer: Any) -> dict[str, Any]:
    """The settings of the random views that a trainer draws, by name; empty if it draws none."""
    drawing = trainer.prepare_batch if getattr(trainer.prepare_batch, "augment", False) else trainer.inferer
    views = getattr(drawing, "random_views", None)
    held = {} if views is None else vars(views)
    return {name: value for name, value in held.items() if isinstance(value, bool | int | float | str | tuple)}


def _described(transforms: Compose | None) -> dict[str, Any]:
    """The description of transforms, if there are some."""
    return {} if transforms is None else described_transforms(transforms)
