"""The start and end of an evaluator: it loads its weights, shows a progress bar, and closes what is recorded."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from time import monotonic
from typing import Any

import ignite.handlers
import monai.handlers
from ignite.engine import Engine, Events

from calib_monai.made_for import FILE, WEIGHTS, read_model_json
from calib_monai.memory import give_back
from calib_monai.networks import members_of
from calib_monai.posthoc.files import MODEL, digest_of_files
from calib_monai.processes import bar_is_hidden, is_first_process

EVERY = 60  # seconds, between two lines that tell how far a run is

logger = logging.getLogger(__name__)


class ModelCheckpointLoader(monai.handlers.CheckpointLoader):
    """MONAI's `CheckpointLoader` for `model.pt`, which loads the weights to the device of the evaluator's network.

    The members of an ensemble get their weights from their own folders.

    Args:
        ckpt_dir: folder of the model.
    """

    def __init__(self, ckpt_dir: str) -> None:
        self.ckpt_dir = ckpt_dir
        super().__init__(load_path=f"{ckpt_dir}/{MODEL}", load_dict={"network": None})

    def __call__(self, engine: Any) -> None:
        """Load the weights at the start of an evaluator, which has its network by then."""
        self.map_location, own = engine.state.device, self.load_path
        for member, folder in members_of(engine.network, self.ckpt_dir):
            self.load_path, self.load_dict = f"{folder}/{MODEL}", {"network": member}
            super().__call__(engine)
            _warn_of_other_weights(Path(folder))
        self.load_path = own  # that it begins with in another run, too


def _warn_of_other_weights(folder: Path) -> None:
    """Warn if a model is not the one that its `model.json` was written with."""
    written = (read_model_json(str(folder)) or {}).get(WEIGHTS)
    if written and is_first_process() and written != digest_of_files([folder / MODEL]):
        logger.warning(
            "%s was written with another %s: its classes, orientation and preparation may not be those of these "
            "weights; copy both files of a model together",
            *(folder / FILE, MODEL),
        )


class ProgressBar(ignite.handlers.ProgressBar):
    """Ignite's `ProgressBar` on a terminal, elsewhere a line in the log once a minute, of the first process only."""

    def __init__(self) -> None:
        super().__init__(disable=bar_is_hidden())
        self.last_told = 0.0  # the time of the last line

    def attach(self, engine: Engine, *args: Any, **kwargs: Any) -> None:  # type: ignore[override] # as Ignite's own
        """Tell how many iterations of an epoch are done."""
        super().attach(engine, *args, **kwargs)
        if bar_is_hidden() and is_first_process():
            engine.add_event_handler(Events.EPOCH_STARTED, self.begin)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self.tell)

    def begin(self, _engine: Engine) -> None:
        """Count the time from here."""
        self.last_told = monotonic()

    def tell(self, engine: Engine) -> None:
        """Log a line if the last one was a minute ago."""
        state = engine.state
        if monotonic() - self.last_told < EVERY or not state.epoch_length:
            return
        self.last_told = monotonic()
        done = (state.iteration - 1) % state.epoch_length + 1
        logger.info("%d of %d iterations are done", done, state.epoch_length)


class LetGo:
    """Lets go of a case after its iteration, before the next one is read. Attach it last."""

    def attach(self, engine: Engine) -> None:
        """Let go after every iteration."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Forget the input and the output of this iteration."""
        state: Any = engine.state
        state.batch, state.output = [], []
        give_back()


def close_tracking(handlers: Iterable[Any]) -> None:
    """Close the run that MONAI's `--tracking mlflow` opened, which MONAI does for a training but not for an evaluation.

    MONAI's handler adds what is recorded next to a run that is open: another evaluation or training would be mixed in.

    Args:
        handlers: of the evaluator.
    """
    for handler in handlers:
        if isinstance(handler, monai.handlers.MLFlowHandler):
            handler.close()
