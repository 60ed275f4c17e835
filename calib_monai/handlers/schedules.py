"""Schedules: the learning rates so far are those that the training would have had, or it is refused."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau


class Plan(NamedTuple):
    """Where a scheduler stands after some epochs.

    Attributes:
        rates: learning rate of the first group of weights in each of these epochs.
        state: of the scheduler.
        groups: what the scheduler has set in each group of weights for the epoch that follows.
    """

    rates: list[float]
    state: dict[str, Any]
    groups: list[dict[str, Any]]

    def put(self, scheduler: LRScheduler) -> None:
        """Put a scheduler, and its optimizer, there."""
        scheduler.load_state_dict(self.state)
        for group, values in zip(scheduler.optimizer.param_groups, self.groups, strict=True):
            group.update(values)


def plan_after(scheduler: Any, epochs: int, steps: int) -> Plan | None:
    """Where a new scheduler stands after some epochs; None where it follows what is measured, or is not PyTorch's.

    Args:
        scheduler: that has made no step. It makes them here.
        epochs: that the training has had.
        steps: that the scheduler makes in them.
    """
    if not isinstance(scheduler, LRScheduler) or isinstance(scheduler, ReduceLROnPlateau):
        return None
    optimizer, rates = scheduler.optimizer, []
    before = _settings(optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, that the optimizer has made no step
        for epoch in range(epochs):
            rates.append(float(optimizer.param_groups[0]["lr"]))
            for _ in range(steps * epoch // epochs, steps * (epoch + 1) // epochs):
                scheduler.step()
    moved = [
        {name: value for name, value in after.items() if name == "lr" or value != group.get(name)}
        for group, after in zip(before, _settings(optimizer), strict=True)
    ]
    return Plan(rates, scheduler.state_dict(), moved)


def check_rates(plan: Plan, rates: Sequence[float], planned: int | None, epochs: int | None) -> None:
    """Raise ValueError if a training has had other learning rates than it would have had from the start.

    Args:
        plan: of the scheduler as it is asked for now.
        rates: learning rate of each epoch so far.
        planned: epochs that the training was to have.
        epochs: that it is to have now.
    """
    for epoch, (had, wanted) in enumerate(zip(rates, plan.rates, strict=False), 1):
        if not math.isclose(had, wanted, rel_tol=1e-9):
            raise ValueError(
                f"it is of a training planned for {planned} epoch(s) whose learning rate in epoch {epoch} was {had:g}; "
                f"with --epochs {epochs} and these options it would have been {wanted:g}"
            )


def _settings(optimizer: Optimizer) -> list[dict[str, Any]]:
    """What is set in each group of weights."""
    return [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
