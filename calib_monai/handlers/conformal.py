"""Handler of conformal intervals: whether they hold the true volumes in an evaluation, and how wide they are."""

from __future__ import annotations

from math import nan
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor

from calib_monai.handlers.readings import given_of, ignored_label, items
from calib_monai.measures import COVERED, WIDTH
from calib_monai.posthoc import Fitted
from calib_monai.processes import gathered
from calib_monai.regions import region_voxels


class Conformal:
    """Measures the intervals of volumes that `calib_monai.posthoc.Conformal` makes.

    It belongs into `additional_metrics`. `covered_volumes` is 1 for a structure whose interval holds the true volume,
    and 0 for others. `interval_width` is the width of the interval over the true volume, NaN if that is 0. Nothing is
    measured if there are no scores beside the model, or too few.

    Args:
        fitted: what was fitted to the model, from `load_fitted`.
    """

    def __init__(self, fitted: Fitted) -> None:
        self.conformal = fitted.conformal
        self.rows: list[Tensor] = []

    def attach(self, engine: Engine, _name: str) -> None:
        """Measure each run of an evaluator."""
        if self.conformal is not None:
            engine.add_event_handler(Events.STARTED, self.start)
            engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
            engine.add_event_handler(Events.EPOCH_COMPLETED, self.compute)

    def start(self, _engine: Engine) -> None:
        """Forget the cases of an earlier run."""
        self.rows = []

    def update(self, engine: Engine) -> None:
        """Measure the cases of this iteration."""
        for item in items(engine):
            probs, labels, ignored = given_of(item, ignored_label(engine))
            [(voxels, of_case)] = region_voxels("all", labels, probs, ignored)
            self.rows.append(self._measured(voxels, of_case))

    def compute(self, engine: Engine) -> None:
        """Put the values of the cases of all processes into `engine.state`, each measure under its own name."""
        rows = torch.stack([row for of_process in gathered(self.rows) for row in of_process])  # (cases, 2, C - 1)
        values = dict(zip((COVERED, WIDTH), rows.unbind(dim=1), strict=True))
        state: Any = engine.state
        state.metric_details |= values
        state.metrics |= {name: of_cases.nanmean(dim=1).nanmean().item() for name, of_cases in values.items()}
        settings = self.conformal and {"coverage": self.conformal.coverage, "validation_cases": self.conformal.cases}
        state.metric_settings = getattr(state, "metric_settings", {}) | dict.fromkeys(values, settings)

    def _measured(self, probs: Tensor, labels: Tensor) -> Tensor:
        """Whether the interval of each structure holds its volume, and its relative width, (2, C - 1), float64."""
        intervals = self.conformal.intervals(probs) if self.conformal else []
        volumes = labels.long().bincount(minlength=len(probs))[1:].tolist()
        found = [
            (float(low <= volume <= high), (high - low) / volume if volume else nan)
            for (low, high), volume in zip(filter(None, intervals), volumes, strict=True)
        ]
        return torch.tensor(found, dtype=torch.float64).T
