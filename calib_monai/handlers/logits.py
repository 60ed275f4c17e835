"""Histograms of logits, which show how certain a network is."""

from __future__ import annotations

from pathlib import Path

import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import Tensor

from calib_monai.handlers.engine_state import logits_and_target
from calib_monai.processes import gathered, is_first_process
from calib_monai.whole_files import write_json

LARGEST = 60.0
BINS_PER_UNIT = 4
NUM_BINS = int(2 * LARGEST * BINS_PER_UNIT)
EDGES = torch.linspace(-LARGEST, LARGEST, NUM_BINS + 1)  # what lies beyond counts in the first and the last bin


class LogitsSaver:
    """Writes `logits.json`: for the voxels of each true class, histograms of each class's logit and of the largest one.

    The logits are on the network's own grid, before MONAI's postprocessing.

    Args:
        output_dir: folder of the file.
    """

    def __init__(self, output_dir: str) -> None:
        self.path = Path(output_dir) / "logits.json"
        self.count: Tensor | None = None

    def attach(self, engine: Engine) -> None:
        """Collect during a run of an evaluator, and write at its end."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self.update)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def start(self, _engine: Engine) -> None:
        """Forget the earlier run."""
        self.count = None

    def update(self, engine: Engine) -> None:
        """Count the logits of this iteration's voxels."""
        logits, target = logits_and_target(engine)
        channels = [*logits.unbind(1), logits.amax(dim=1)]
        count = torch.stack([histogram(channel.unsqueeze(1), target, logits.shape[1]) for channel in channels], 1)
        self.count = count if self.count is None else self.count + count

    def write(self, _engine: Engine) -> None:
        """Write the file: the edges of the bins; counts by true class and class of the logit, and of the largest."""
        count = sum(of_process for of_process in gathered(self.count) if of_process is not None)
        if is_first_process() and isinstance(count, Tensor):
            content = {"edges": EDGES.tolist(), "count": count[:, :-1].tolist(), "largest": count[:, -1].tolist()}
            write_json(self.path, content, indent=None)


def histogram(values: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Number of values in each bin by the class of their voxel, (C, NUM_BINS), on the CPU.

    Args:
        values: a value of each voxel, (B, 1, H, W[, D]).
        target: class indices of that shape; a voxel of no class is not counted.
        num_classes: C.
    """
    places = ((values.float().clamp(-LARGEST, LARGEST) + LARGEST) * BINS_PER_UNIT).int().clamp_(0, NUM_BINS - 1)
    rows = torch.where((target >= 0) & (target < num_classes), target.int(), num_classes)
    count = torch.bincount((places + NUM_BINS * rows).flatten(), minlength=NUM_BINS * (num_classes + 1))
    return count.view(-1, NUM_BINS)[:num_classes].cpu()
