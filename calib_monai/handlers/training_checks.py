"""Checks of the parts of a training together: refuses what would fail, or learn nothing, only epochs later."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from monai.bundle import ConfigComponent
from monai.handlers import CheckpointSaver
from monai.metrics import HausdorffDistanceMetric, SurfaceDistanceMetric
from monai.metrics.regression import RegressionMetric

from calib_monai.handlers.multipliers import MultiplierUpdate
from calib_monai.handlers.schedules import check_rates_ahead
from calib_monai.lagrangian import Multipliers
from calib_monai.measures import measure_of
from calib_monai.metrics.by_name import VALIDATION
from calib_monai.targets import TARGET, located

OF_ERRORS = (HausdorffDistanceMetric, SurfaceDistanceMetric, RegressionMetric)  # MONAI's, of which less is better
BY_LOSS = "\"$lambda trainer: trainer.state.metrics['train_loss']\""

logger = logging.getLogger(__name__)


def check_learning(network: torch.nn.Module, optimizer: Any, scheduler: Any, epochs: int) -> None:
    """Raise ValueError if an optimizer would never change the network.

    Args:
        network: the network to train.
        optimizer: the optimizer; one that is not PyTorch's passes.
        scheduler: what changes its learning rate after each epoch, without a step so far, or None.
        epochs: the planned epochs.
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        return
    name, owned = type(optimizer).__name__, {id(one) for one in network.parameters() if one.requires_grad}
    if not owned & {id(weights) for group in optimizer.param_groups for weights in group["params"]}:
        raise ValueError(f"{name} has no weight of the network: set optimizer#params to '$@network.parameters()'")
    check_rates_ahead(optimizer, scheduler, epochs)


def check_steps(name: str, scheduler: Any) -> None:
    """Raise ValueError if a scheduler cannot make a step without a measurement, as `ReduceLROnPlateau` cannot.

    Args:
        name: of its `LrScheduleHandler` in the configuration, which has no `step_transform`.
        scheduler: the scheduler.
    """
    if scheduler is None:
        raise ValueError(f"{name}, the LrScheduleHandler, has no schedule: leave it out by --{name}#_disabled_ True")
    try:
        inspect.signature(scheduler.step).bind()
    except TypeError:
        raise ValueError(
            f"{type(scheduler).__name__} follows a measurement: give {name}, its LrScheduleHandler, a step_transform, "
            f"as {BY_LOSS}, or take another lr_scheduler"
        ) from None


def check_multipliers(loss: torch.nn.Module, metrics: Mapping[str, Any] | None) -> None:
    """Raise ValueError if a loss has multipliers that no validation updates.

    Args:
        loss: the loss of the training.
        metrics: MONAI's handlers of the additional metrics of its validation, by name.
    """
    updated = {id(one.loss) for one in (metrics or {}).values() if isinstance(one, MultiplierUpdate)}
    for part in loss.modules():
        if isinstance(getattr(part, "multipliers", None), Multipliers) and id(part) not in updated:
            raise ValueError(
                f"{type(part).__name__} has multipliers, and nothing updates them: train in the bundle of crac, or add "
                "its calib_monai.handlers.MultiplierUpdate to validate#additional_metrics"
            )


def check_best(key_metric: Mapping[str, Any] | None, savers: Sequence[Mapping[str, Any]]) -> None:
    """Raise ValueError if a validation cannot tell the best model, or takes the worst; warn if it would not be saved.

    Args:
        key_metric: MONAI's handler of the metric by its name.
        savers: the components of the validation's savers.
    """
    if not isinstance(key_metric, Mapping) or not key_metric:
        raise ValueError(
            f"validate#key_metric is {key_metric}; it must have a metric by its name, by which the best model is chosen"
        )
    choosing = [one for one in savers if _chooses(one)]
    if not choosing:
        logger.warning("no handler of validate#handlers saves the best model: this training leaves checkpoints alone")
    name, handler = next(iter(key_metric.items()))
    if _is_of_errors(name, handler) and any(not saver.get("key_metric_negative_sign") for saver in choosing):
        raise ValueError(
            f"validate#key_metric is {name}, of which less is better, and the model with the most would be saved as "
            "the best: take a metric of which more is better, as calib_monai.handlers.Dice"
        )


def enabled_handlers(handlers: Any, kind: type) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The place and the component of each handler of a kind in a list of a configuration.

    Args:
        handlers: the list, of dictionaries.
        kind: class of the handlers.
    """
    for place, handler in enumerate(handlers or []):
        if isinstance(handler, Mapping) and not ConfigComponent(handler).is_disabled():
            component = located(str(handler.get(TARGET, "")))
            if inspect.isclass(component) and issubclass(component, kind):
                yield place, handler


def best_models(handlers: Iterable[Any]) -> list[str]:
    """The files that the savers of the best model have written in a training, with what it resumes.

    Args:
        handlers: of the validation.
    """
    savers = [one for one in handlers if isinstance(one, CheckpointSaver)]
    best = [(saver.save_dir, saver._key_metric_checkpoint) for saver in savers]  # noqa: SLF001 - MONAI has no other name
    return [
        f"{folder}/{getattr(one.save_handler, 'filename', None) or one.last_checkpoint}"
        for folder, one in best
        if one is not None and one.last_checkpoint
    ]


def _chooses(saver: Mapping[str, Any]) -> bool:
    """Whether a saver saves the best model; a class of ours or a user's own does unless it has a switch for that."""
    component = located(str(saver.get(TARGET, "")))
    return bool(saver.get("save_key_metric", component is not CheckpointSaver))


def _is_of_errors(name: str, handler: Any) -> bool:
    """Whether less of a metric is better, by its class or by its name."""
    metric = getattr(handler, "metric_fn", None)
    by_class = False if isinstance(metric, OF_ERRORS) else getattr(metric, "more_is_better", None)
    return (measure_of(name.removeprefix(VALIDATION)).more_is_better if by_class is None else by_class) is False
