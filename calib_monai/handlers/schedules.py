"""Schedules: refuses learning rates that cannot be, or that differ from those of a resumed training."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from calib_monai.checks import first_line


class Plan(NamedTuple):
    """The state of a scheduler after some epochs.

    Attributes:
        rates: learning rate of the first group of weights in each of these epochs.
        state: state of the scheduler.
        groups: the values that the scheduler has set in each group of weights for the next epoch.
    """

    rates: list[float]
    state: dict[str, Any]
    groups: list[dict[str, Any]]

    def put(self, scheduler: LRScheduler) -> None:
        """Restore this state in a scheduler and its optimizer."""
        scheduler.load_state_dict(self.state)
        for group, values in zip(scheduler.optimizer.param_groups, self.groups, strict=True):
            group.update(values)


def plan_after(scheduler: Any, epochs: int, steps: int) -> Plan | None:
    """The state of a new scheduler after some epochs; None if it follows a measurement, or is not PyTorch's.

    Args:
        scheduler: a scheduler without steps, which makes its steps here.
        epochs: number of finished epochs.
        steps: number of steps of the scheduler in these epochs.
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


def check_rates_ahead(optimizer: Optimizer, scheduler: Any, epochs: int) -> None:
    """Raise ValueError if a scheduler cannot plan so many epochs, or if the learning rates are none or all 0.

    Optimizer and scheduler stay as they are. If the scheduler follows a measurement, or is not PyTorch's, only the
    learning rate of the first epoch is known.

    Args:
        optimizer: the optimizer.
        scheduler: its scheduler, which has made no step, or None.
        epochs: number of planned epochs.
    """
    name, rates = type(optimizer).__name__, [_largest(optimizer)]
    if isinstance(scheduler, LRScheduler) and not isinstance(scheduler, ReduceLROnPlateau):
        rates += _rates_after_first(optimizer, scheduler, epochs)
    for epoch, rate in enumerate(rates, 1):
        if not math.isfinite(rate):
            raise ValueError(f"the learning rate of {name} in epoch {epoch} is {rate:g}; it must be a finite number")
    if not any(rates):
        raise ValueError(f"the learning rate of {name} is 0 in all {epochs} epoch(s): the network would learn nothing")


def _rates_after_first(optimizer: Optimizer, scheduler: LRScheduler, epochs: int) -> list[float]:
    """The largest learning rate of each epoch but the first; raise ValueError if the scheduler cannot plan so many."""
    before = Plan([], deepcopy(scheduler.state_dict()), deepcopy(_settings(optimizer)))
    rates = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's, that the optimizer has made no step
            for _ in range(epochs):  # one after the last epoch, too
                scheduler.step()
                rates.append(_largest(optimizer))
    except Exception as error:  # noqa: BLE001 - every scheduler has errors of its own
        name = type(scheduler).__name__
        raise ValueError(f"{name} cannot plan {epochs} epoch(s): {first_line(error)}") from None
    finally:
        before.put(scheduler)
    return rates[:-1]


def check_rates(plan: Plan, rates: Sequence[float], planned: int | None, epochs: int | None) -> None:
    """Raise ValueError if a training has had other learning rates than it would have had from the start.

    Args:
        plan: the plan of the present scheduler.
        rates: learning rate of each epoch so far.
        planned: number of epochs that was planned before.
        epochs: number of epochs that is planned now.
    """
    for epoch, (had, wanted) in enumerate(zip(rates, plan.rates, strict=False), 1):
        if not math.isclose(had, wanted, rel_tol=1e-9):
            raise ValueError(
                f"it is of a training planned for {planned} epoch(s) whose learning rate in epoch {epoch} was {had:g}; "
                f"with --epochs {epochs} and these options it would have been {wanted:g}"
            )


def _settings(optimizer: Optimizer) -> list[dict[str, Any]]:
    """All values of each group of weights but the weights, those that the scheduler has set among them."""
    return [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]


def _largest(optimizer: Optimizer) -> float:
    """The largest learning rate of all groups of weights."""
    return max(float(group["lr"]) for group in optimizer.param_groups)
