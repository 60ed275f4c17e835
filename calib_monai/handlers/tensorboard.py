"""TensorBoard: one writer for a run's folder, and what a training shows in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from ignite.engine import Engine, Events
from monai.engines import Trainer
from monai.engines.utils import IterationEvents
from monai.handlers import TensorBoardStatsHandler
from torch import Tensor

from calib_monai.bins import Bins, top_label_bins
from calib_monai.handlers.engine_state import ignored_label, items, logits_and_target, voxels_of
from calib_monai.handlers.logits import EDGES, LARGEST, histograms
from calib_monai.processes import all_gathered, gathered, is_first_process
from calib_monai.regions import Region, region_of
from calib_monai.reports.reliability import diagram_figure

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


class ReliabilityImage:
    """Shows the reliability diagram in TensorBoard, every few validations, as "val_reliability".

    Args:
        output_dir: folder of the output, see `Board`.
        interval: validations from one diagram to the next.
        region: the measured voxels: one of `calib_monai.regions`, or its name.
        num_bins: number of bins.
    """

    def __init__(
        self, output_dir: str, interval: int = 5, region: str | Region = "plausible", num_bins: int = 15
    ) -> None:
        self.board = Board(output_dir)
        self.interval = interval
        self.region = region_of(region)
        self.num_bins = num_bins
        self.bins: list[Bins] = []
        self.validations = 0

    def attach(self, engine: Engine) -> None:
        """Watch every run of an evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.COMPLETED, self.show)

    def start(self, _engine: Engine) -> None:
        """Forget the earlier run."""
        self.bins = []
        self.validations += 1

    def update(self, engine: Engine) -> None:
        """Bin the cases of this iteration, where it is this validation's turn."""
        if self.validations % self.interval == 0:
            voxels = (voxels_of(item, self.region, ignored_label(engine)) for item in items(engine))
            self.bins += [top_label_bins(*pair, self.num_bins).cpu() for pair in voxels]

    def state_dict(self) -> dict[str, int]:
        """The state that a checkpoint keeps."""
        return {"validations": self.validations}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue from a result of `state_dict`."""
        self.validations = state["validations"]

    def show(self, engine: Engine) -> None:
        """Draw the diagram of all cases together."""
        bins = all_gathered(self.bins)
        if bins and is_first_process():
            together = sum(bins[1:], start=bins[0])
            self.board.add_figure("val_reliability", diagram_figure(together, self.region.name), engine.state.epoch)


class MaxLogitHistogram:
    """Shows the histogram of each voxel's largest logit in TensorBoard, after every validation.

    That of an overconfident network moves to the right from epoch to epoch. Among the validation's metrics, and so in
    `history.csv`, are two means over the voxels of each class k: "max_logit/k" of their largest logit, and
    "mean_logit/k" of the logit of their class. They are those of the histograms, whose bins are 0.25 wide.

    Args:
        output_dir: folder of the output, see `Board`. It is shown as "val_max_logit".
    """

    def __init__(self, output_dir: str) -> None:
        self.board = Board(output_dir)
        self.count: Tensor | None = None

    def attach(self, engine: Engine) -> None:
        """Watch every run of an evaluator."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self.update)
        engine.add_event_handler(Events.COMPLETED, self.show)

    def start(self, _engine: Engine) -> None:
        """Forget the earlier run."""
        self.count = None

    def update(self, engine: Engine) -> None:
        """Count the largest logits of this iteration's voxels, and those of their classes."""
        logits, target = logits_and_target(engine)
        classes = logits.shape[1]
        own = logits.gather(1, target.long().clamp(0, classes - 1))
        shown = torch.cat([logits.amax(dim=1, keepdim=True), own], dim=1)
        count = histograms(shown, target, classes).movedim(1, 0).cpu()
        self.count = count if self.count is None else self.count + count

    def show(self, engine: Engine) -> None:
        """Write the histogram of this epoch, and note the means of each class."""
        by_class = sum(count for count in gathered(self.count) if count is not None)
        if not isinstance(by_class, Tensor):
            return
        middles = (EDGES[1:] + EDGES[:-1]) / 2
        for name, of_classes in zip(("max_logit", "mean_logit"), by_class, strict=True):
            for k, counted in enumerate(of_classes):
                if counted.any():
                    engine.state.metrics[f"{name}/{k}"] = float((counted * middles).sum() / counted.sum())
        if not is_first_process():
            return
        count = by_class[0].sum(dim=0)
        self.board.add_histogram_raw(
            "val_max_logit",
            min=-LARGEST,
            max=LARGEST,
            num=int(count.sum()),
            sum=float((count * middles).sum()),
            sum_squares=float((count * middles.square()).sum()),
            bucket_limits=EDGES[1:].tolist(),
            bucket_counts=count.tolist(),
            global_step=engine.state.epoch,
        )
