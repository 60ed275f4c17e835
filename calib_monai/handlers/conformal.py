"""Handler of conformal promises: whether intervals and margins keep them in an evaluation, and how large they are."""

from __future__ import annotations

from math import nan
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor

from calib_monai.handlers.engine_state import given_of, ignored_label, items
from calib_monai.measures import COVERED, MISSED, SIZE, WIDTH
from calib_monai.posthoc.conformal_files import Fitted
from calib_monai.processes import all_gathered
from calib_monai.regions import region_voxels


class ConformalPromises:
    """Measures what `calib_monai.posthoc.Conformal` and `calib_monai.posthoc.Margins` promise.

    It belongs into `additional_metrics`, and measures, for each structure of a case:

    * `covered_volumes`: 1 if the interval of its volume holds the true volume, else 0;
    * `interval_width`: the width of this interval over the true volume;
    * `miss_rate_margin`: the share of its voxels that lie outside of its margin;
    * `margin_size`: the size of its margin over the true volume.

    All but the first are NaN if the label does not have the structure, and all in a case of ignored voxels alone. What
    is not promised is not measured.

    Args:
        fitted: what was fitted to the model, from `load_fitted`.
    """

    def __init__(self, fitted: Fitted) -> None:
        self.intervals, self.margins = fitted.promises[:2]
        self.rows: list[Tensor] = []

    def attach(self, engine: Engine, _name: str) -> None:
        """Measure each run of an evaluator."""
        if self.intervals is not None or self.margins is not None:
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
            true = of_case.long().bincount(minlength=len(voxels))[1:]
            parts = (self._of_intervals(voxels, true), self._of_margins(voxels, of_case, true))
            row = torch.cat([part.cpu() for part in parts if part is not None])
            self.rows.append(row if of_case.numel() else torch.full_like(row, nan))

    def compute(self, engine: Engine) -> None:
        """Put the values of the cases of all processes into `engine.state`, each measure under its own name."""
        rows = torch.stack(all_gathered(self.rows))  # (cases, names, C - 1)
        settings = self._settings()
        values = dict(zip(settings, rows.unbind(dim=1), strict=True))
        state: Any = engine.state
        state.metric_details |= values
        state.metrics |= {name: of_cases.nanmean(dim=1).nanmean().item() for name, of_cases in values.items()}
        state.metric_settings = getattr(state, "metric_settings", {}) | settings

    def _of_intervals(self, probs: Tensor, true: Tensor) -> Tensor | None:
        """Whether each interval holds the true volume, and its relative width, (2, C - 1); None without intervals."""
        if self.intervals is None:
            return None
        low, high = torch.tensor(self.intervals.intervals(probs), dtype=torch.float64).T
        volumes = true.double().cpu()
        covered = (low <= volumes) & (volumes <= high)
        return torch.stack([covered.double(), _over(high - low, volumes)])

    def _of_margins(self, probs: Tensor, labels: Tensor, true: Tensor) -> Tensor | None:
        """The share that each margin misses, and its relative size, (2, C - 1); None without margins."""
        if self.margins is None:
            return None
        masks = self.margins.masks(probs)
        missed = [(~mask & (labels == k)).sum() for k, mask in enumerate(masks, start=1)]
        found = torch.stack([_over(torch.stack(missed), true), _over(masks.sum(dim=1), true)])
        return found.masked_fill(~torch.tensor(self.margins.promised, device=found.device), nan)

    def _settings(self) -> dict[str, dict[str, Any]]:
        """The settings of each measure that is measured."""
        settings: dict[str, dict[str, Any]] = {}
        if self.intervals is not None:
            counts = {"validation_cases": self.intervals.cases, "validation_patients": self.intervals.patients}
            told: dict[str, Any] = {"coverage": self.intervals.coverage, **counts}
            settings |= {COVERED: told, WIDTH: told}
        if self.margins is not None:
            told = {"miss_rate": self.margins.miss_rate, "validation_patients": self.margins.counts}
            settings |= {MISSED: told, SIZE: told}
        return settings


def _over(values: Tensor, volumes: Tensor) -> Tensor:
    """Values over volumes, float64; NaN where a volume is 0."""
    return (values.double() / volumes.double()).masked_fill(volumes == 0, nan)
