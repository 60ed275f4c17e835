"""TensorBoard's file of a run: all handlers write to one writer, which opens when something is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ignite.engine import Engine, Events
from monai.engines import Trainer
from monai.handlers import TensorBoardStatsHandler

from calib_monai.processes import is_first_process

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER = "tensorboard"
_open: dict[Path, SummaryWriter] = {}


class Board:
    """TensorBoard's `SummaryWriter` of a folder of output, made at its first use; only the first process writes.

    Args:
        output_dir: the folder, in which `tensorboard` is made.
    """

    def __init__(self, output_dir: str) -> None:
        self.folder = Path(output_dir).absolute() / FOLDER

    def restart(self, had_epochs: int) -> None:
        """Write a new file. What an interrupted training wrote after its last saved epoch is no longer shown."""
        self.close()
        if is_first_process():
            self._start(had_epochs + 1 if had_epochs else None)

    def close(self) -> None:
        """Write what is not written yet."""
        if writer := _open.pop(self.folder, None):
            writer.close()

    def __getattr__(self, name: str) -> Any:
        """A method of the writer; in other processes than the first one it does nothing."""
        if name.startswith("__"):
            raise AttributeError(name)
        if not is_first_process():
            return lambda *_args, **_kwargs: None
        return getattr(_open.get(self.folder) or self._start(None), name)

    def _start(self, purge_step: int | None) -> SummaryWriter:
        """A new writer."""
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - it takes seconds to import

        _open[self.folder] = SummaryWriter(str(self.folder), purge_step=purge_step)
        return _open[self.folder]


class BoardStats(TensorBoardStatsHandler):
    """MONAI's handler that shows the metrics of each epoch in TensorBoard.

    Args:
        output_dir: folder of the output, see `Board`.
    """

    def __init__(self, output_dir: str) -> None:
        self.board = Board(output_dir)
        super().__init__(summary_writer=self.board, iteration_log=False)

    def attach(self, engine: Engine) -> None:
        """Show the epochs of a trainer, which starts a new file, or the runs of an evaluator."""
        if isinstance(engine, Trainer):
            engine.add_event_handler(Events.STARTED, lambda: self.board.restart(engine.state.epoch))
            engine.add_event_handler(Events.COMPLETED, self.board.close)
        super().attach(engine)
