"""Histograms of logits, which show how certain a network is."""

from __future__ import annotations

from pathlib import Path

import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import Tensor

from calib_monai.handlers.engine_state import logits_and_target
from calib_monai.metrics.inputs import PIECE
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
        count = torch.zeros((), dtype=torch.int64, device=logits.device)
        pieces = (torch.split(part.flatten(2), PIECE, dim=2) for part in (logits, target))
        for values, labels in zip(*pieces, strict=True):
            with_largest = torch.cat([values, values.amax(dim=1, keepdim=True)], dim=1)
            count = count + histograms(with_largest, labels, logits.shape[1])
        self.count = count.cpu() if self.count is None else self.count + count.cpu()

    def write(self, _engine: Engine) -> None:
        """Write the file: the edges of the bins; counts by true class and class of the logit, and of the largest."""
        count = sum(of_process for of_process in gathered(self.count) if of_process is not None)
        if is_first_process() and isinstance(count, Tensor):
            content = {"edges": EDGES.tolist(), "count": count[:, :-1].tolist(), "largest": count[:, -1].tolist()}
            write_json(self.path, content, indent=None)


def histograms(values: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Number of values in each bin by the class of their voxel and by their channel, (C, K, NUM_BINS), on their device.

    Args:
        values: K values of each voxel, (B, K, ...).
        target: class indices, (B, 1, ...); a voxel of no class is not counted.
        num_classes: C.
    """
    channels = values.shape[1]
    places = ((values.float().clamp(-LARGEST, LARGEST) + LARGEST) * BINS_PER_UNIT).int().clamp_(0, NUM_BINS - 1)
    rows = torch.where((target >= 0) & (target < num_classes), target.int(), num_classes) * channels
    columns = torch.arange(channels, dtype=torch.int32, device=values.device).view(-1, *[1] * (values.ndim - 2))
    # All channels are counted at once: on a GPU each count waits for all before.
    places += (rows + columns) * NUM_BINS
    count = torch.bincount(places.flatten(), minlength=NUM_BINS * channels * (num_classes + 1))
    return count.view(-1, channels, NUM_BINS)[:num_classes]
