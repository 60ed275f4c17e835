"""Guards: stop a run that has gone wrong, with a message."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import NoReturn

import torch
from ignite.engine import Engine, Events
from monai.handlers import from_engine
from torch import Tensor

from calib_monai.handlers.engine_state import loss_of
from calib_monai.metrics.inputs import plain
from calib_monai.processes import gathered

logger = logging.getLogger(__name__)


class NonFiniteLossGuard:
    """Stops a trainer at the first loss that is NaN or infinite.

    The checkpoints of earlier epochs stay as they are. On a GPU losses are checked at the end of the epoch, because
    each check makes the program wait for the GPU.

    Args:
        ckpt_dir: folder of the checkpoints, for the message.
    """

    def __init__(self, ckpt_dir: str) -> None:
        self.ckpt_dir = ckpt_dir
        self.losses: list[Tensor] = []  # not looked at yet

    def attach(self, engine: Engine) -> None:
        """Check after every iteration, and the weights before an epoch's validation and checkpoint."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.check_losses)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.check_weights)

    def check_weights(self, engine: Engine) -> None:
        """Raise ValueError if a weight is NaN or infinite after the last step of an epoch, as no loss could tell yet.

        The message has the iteration and the epoch.
        """
        finite = [torch.isfinite(weights).all() for weights in engine.network.parameters()]  # type: ignore[attr-defined]
        if not torch.stack(finite).all():
            self._stop(engine, "a weight of the network is NaN or infinite", engine.state.iteration)

    def __call__(self, engine: Engine) -> None:
        """Note the loss of this iteration, and check it at once if it is on the CPU.

        Raises:
            ValueError: as `check_losses`.
        """
        loss = loss_of(engine.state.output)
        self.losses.append(loss)
        if loss.device.type == "cpu":
            self.check_losses(engine)

    def check_losses(self, engine: Engine) -> None:
        """Raise ValueError if a loss that was not checked yet is NaN or infinite.

        The message has the first such loss, its iteration and the epoch.
        """
        losses = torch.stack(self.losses).tolist() if self.losses else []
        self.losses = []
        for before_last, loss in zip(reversed(range(len(losses))), losses, strict=True):
            if not math.isfinite(loss):
                self._stop(engine, f"the loss is {loss}", engine.state.iteration - before_last)

    def _stop(self, engine: Engine, what: str, iteration: int) -> NoReturn:
        """Raise ValueError with the fault, its epoch, and the files that are left."""
        epoch = engine.state.epoch
        kept = "there is no checkpoint yet"
        if epoch > 1:
            kept = f"the checkpoint of epoch {epoch - 1} is in {self.ckpt_dir}"
        raise ValueError(f"{what} at iteration {iteration} (epoch {epoch}): training stopped; {kept}")


class CollapseGuard:
    """Stops an engine whose network predicts nothing but background, run after run.

    Cross-entropy with a high learning rate or an unlucky seed can collapse in this way. Such a network must not stand
    in a table as the result of a method. A warning names each class that is in the labels and is never predicted.

    Args:
        patience: number of runs in a row with only background before the evaluator stops.
    """

    def __init__(self, patience: int = 1) -> None:
        self.patience = patience
        self.collapsed_runs = 0
        self.predicted: set[int] = set()
        self.labeled: set[int] = set()

    def attach(self, engine: Engine) -> None:
        """Watch every run of an evaluator. Attach it before what writes results."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.judge)

    def start(self, _engine: Engine) -> None:
        """Forget the classes seen in the run before."""
        self.predicted, self.labeled = set(), set()

    def update(self, engine: Engine) -> None:
        """Note which classes this iteration's predictions and labels hold."""
        predictions, labels = from_engine(["pred", "label"])(engine.state.output)
        for prediction, label in zip(predictions, labels, strict=True):
            self.predicted |= _classes_in(prediction)
            self.labeled |= _classes_in(label)

    def judge(self, _engine: Engine) -> None:
        """Warn of classes that were never predicted; stop if only background was predicted too often.

        Raises:
            ValueError: only background was predicted in `patience` runs in a row.
        """
        predicted, labeled = zip(*gathered((self.predicted, self.labeled)), strict=True)
        self.predicted, self.labeled = set().union(*predicted), set().union(*labeled)
        missed = sorted(self.labeled - self.predicted)
        if any(self.predicted) or not any(self.labeled):
            self.collapsed_runs = 0
            if missed:
                logger.warning("class(es) %s are in the labels and were never predicted", missed)
            return
        self.collapsed_runs += 1
        said = f"the network predicts background only ({self.collapsed_runs} validation(s) in a row)"
        if self.collapsed_runs >= self.patience:
            raise ValueError(
                f"{said}: it has collapsed and is no result; try another --seed or a lower --learning_rate"
            )
        logger.warning("%s; the run stops at %d", said, self.patience)

    def state_dict(self) -> dict[str, int]:
        """The state that a checkpoint keeps."""
        return {"collapsed_runs": self.collapsed_runs}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue from a result of `state_dict`."""
        self.collapsed_runs = state["collapsed_runs"]


def _classes_in(label: Tensor) -> set[int]:
    """The class indices that a label holds."""
    counts = plain(label).flatten().int().bincount()
    return set(counts.nonzero().flatten().tolist())
