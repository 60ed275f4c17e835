"""Stats of epochs: the mean loss, and what the log tells."""

from __future__ import annotations

from typing import NoReturn

import torch
from ignite.engine import Engine, Events
from ignite.metrics import Average
from monai.engines import Trainer
from monai.handlers import StatsHandler

from calib_monai.handlers.engine_state import loss_of


class EpochStats(StatsHandler):
    """MONAI's StatsHandler for epochs only, without a log of errors; a training also tells when its first epoch begins.

    MONAI's handler logs a traceback of each error, also of Ctrl-C and of a refusal in one line. The program itself
    shows an error when it ends.

    Args:
        name: name of the logger.
    """

    def __init__(self, name: str) -> None:
        super().__init__(iteration_log=False, name=name)
        self.begun = False

    def attach(self, engine: Engine) -> None:
        """Tell the end of each epoch and, if this is a trainer, the beginning of the first one."""
        super().attach(engine)
        if isinstance(engine, Trainer):
            engine.add_event_handler(Events.EPOCH_STARTED, self.begin)

    def begin(self, engine: Trainer) -> None:
        """Log that the first epoch of this run begins."""
        if not self.begun:
            self.begun = True
            self.logger.info("epoch %d of %d begins", engine.state.epoch, engine.state.max_epochs)

    def exception_raised(self, _engine: Engine, e: BaseException) -> NoReturn:
        """Let the error end the program."""
        raise e


class EpochMean:
    """Keeps the mean loss of an epoch as a metric, which the log and TensorBoard show.

    Args:
        name: of the metric.
    """

    def __init__(self, name: str = "train_loss") -> None:
        self.name = name

    def attach(self, engine: Engine) -> None:
        """Average over every epoch. Attach it before handlers that show the metric.

        The sum stays on the engine's device, because fetching each number makes the program wait for a GPU.
        """
        device = getattr(engine.state, "device", None) or torch.device("cpu")
        Average(loss_of, device=device).attach(engine, self.name)
