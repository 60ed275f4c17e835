"""Keeps the bins of each case of an evaluation for the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor

from calib_monai.bins import Bins
from calib_monai.case_names import case_of
from calib_monai.handlers.collection import binned_metrics
from calib_monai.handlers.engine_state import ignored_label, items, label_digest, voxels_of
from calib_monai.metrics import CECEMetric, ECEMetric
from calib_monai.metrics.calibration import BinnedMetric
from calib_monai.processes import all_gathered, is_first_process
from calib_monai.regions import Region, region_of
from calib_monai.whole_files import write_json


class BinsSaver:
    """Writes `bins.json`: for each case the bins of the top label and of each class, its voxels and its label's digest.

    Those that a `MetricCollectionHandler` measures, as ECE and CECE of this region, are not computed again.

    An item of the engine's output must hold "prob" (C, H, W[, D]), "label" (one-hot (C, ...) or class
    indices (1, ...)) and "case", a name.

    Args:
        output_dir: folder of the file.
        region: the measured voxels: one of `calib_monai.regions`, or its name.
        num_bins: number of bins.
    """

    def __init__(self, output_dir: str, region: str | Region = "plausible", num_bins: int = 15) -> None:
        self.path = Path(output_dir) / "bins.json"
        self.region = region_of(region)
        self.num_bins = num_bins
        self.own = {"top_label": ECEMetric(num_bins, region=region), "classes": CECEMetric(num_bins, region=region)}
        self.measured: dict[str, BinnedMetric] = {}
        self.cases: list[tuple[str, int, str]] = []  # name, number of voxels, and digest of the label
        self.rows: dict[str, list[Tensor]] = {}

    def attach(self, engine: Engine) -> None:
        """Collect during a run of an evaluator, and write at its end."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.COMPLETED, self.write)

    def start(self, engine: Engine) -> None:
        """Forget the cases of the earlier run, and find the metrics of this run that have the same bins."""
        self.cases, self.rows = [], {name: [] for name in self.own}
        measured = [metric for metric in binned_metrics(engine) if metric.region == self.region]
        self.measured = {}
        for name, own in self.own.items():
            for metric in measured:
                if type(metric) is type(own) and metric.num_bins == self.num_bins:
                    self.measured[name] = metric

    def update(self, engine: Engine) -> None:
        """Note the cases of this iteration, and bin them where the run does not.

        Raises:
            ValueError: "prob" or "label" that are none, as the metrics refuse them.
        """
        for item in items(engine):
            self.cases.append((case_of(item), item["prob"][0].numel(), label_digest(item).hex()))
            missing = self.own.keys() - self.measured.keys()
            if missing:
                voxels = voxels_of(item, self.region, ignored_label(engine))
                for name in missing:
                    self.rows[name].append(self.own[name].sums(*voxels).cpu())

    def write(self, engine: Engine) -> None:
        """Write the file for the cases of all processes, and note their `engine.state.mean_confidence`."""
        cases = all_gathered(self.cases)
        rows = {name: metric.rows() for name, metric in self.measured.items()}
        for name in self.own:  # in one order in all processes
            if name not in rows:
                rows[name] = torch.stack(all_gathered(self.rows[name]))
        if not is_first_process():
            return
        top_label, classes = (Bins.from_tensor(rows[name]) for name in self.own)
        state: Any = engine.state
        means = (top_label.confidence.sum(dim=-1) / top_label.total).flatten().tolist()
        state.mean_confidence = dict(zip([name for name, *_ in cases], means, strict=True))
        content = {
            name: {
                "top_label": top_label[place][0].to_dict(),
                "classes": classes[place].to_dict(),
                "num_voxels": voxels,
                "label": label,
            }
            for place, (name, voxels, label) in enumerate(cases)
        }
        write_json(self.path, {"region": self.region.name, "num_bins": self.num_bins, "cases": content}, indent=None)
