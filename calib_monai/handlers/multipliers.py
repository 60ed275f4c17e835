"""The outer loop of an augmented Lagrangian: a validation moves the multipliers of the loss."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import Tensor

from calib_monai.handlers.guards import stop
from calib_monai.handlers.logits import logits_and_target
from calib_monai.lagrangian import AVERAGES, REGIONS, Multipliers, ViolationSums
from calib_monai.processes import gathered, is_first_process

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

logger = logging.getLogger(__name__)

SHOWN = ("multiplier", "coefficient", "violation")


class ConstrainedLoss(Protocol):
    """A loss with multipliers, such as `calib_monai.losses.CRaCLoss`."""

    multipliers: Multipliers

    def violation_sums(self, logits: Tensor, target: Tensor) -> ViolationSums:
        """What `multipliers.update` needs of logits (B, C, ...) and class indices (B, 1, ...)."""
        ...


class MultiplierUpdate:
    """Updates the multipliers of a loss after each validation, from the logits of all its voxels.

    A validation before which nothing was trained, such as one at the start or an evaluation, changes
    nothing. What comes out is logged, a line a region, and shown in TensorBoard by region and class, as
    "multiplier/inner/background", with the penalty's coefficient and the mean violation beside it.

    Args:
        loss: the one that is trained with.
        writer: where it is shown; None shows nothing.
        spatial_dims: 2 where the network was trained on slices: neighborhoods in a volume are then those
            in its slices, along the last axis. 3 where they reach across slices.
        average: "all" or "region", as `Multipliers.update`.
        class_names: one a class, the background first; numbers without.

    Raises:
        ValueError: a loss without multipliers, an argument outside what is listed here, or a number of
            names that is not that of the classes.
    """

    def __init__(
        self,
        loss: ConstrainedLoss,
        writer: SummaryWriter | None = None,
        spatial_dims: int = 2,
        average: str = "all",
        class_names: Sequence[str] | None = None,
    ) -> None:
        if not isinstance(getattr(loss, "multipliers", None), Multipliers):
            kind = type(loss).__name__
            raise ValueError(f"loss is {kind}; it must have multipliers, as CRaCLoss")  # noqa: TRY004 - as all refusals
        if spatial_dims not in (2, 3):
            raise ValueError(f"spatial_dims is {spatial_dims!r}; it must be 2 or 3")
        if average not in AVERAGES:
            raise ValueError(f"average is {average!r}; it must be one of {AVERAGES}")
        num_classes = loss.multipliers.num_classes
        names = list(map(str, range(num_classes))) if class_names is None else list(class_names)
        if len(names) != num_classes:
            raise ValueError(f"class_names are {names}, and the loss has {num_classes} classes")
        self.loss = loss
        self.writer = writer
        self.spatial_dims = spatial_dims
        self.average = average
        self.class_names = names
        self.due = False
        self.sums: ViolationSums | None = None

    def attach(self, engine: Engine) -> None:
        """Collect through every run of an evaluator, update at its end."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self.collect)
        engine.add_event_handler(Events.COMPLETED, self.update)

    def start(self, _engine: Engine) -> None:
        """Forget the run before, and see whether there was a training step since."""
        self.due = bool(self.loss.multipliers.trained)
        self.sums = None

    def collect(self, engine: Engine) -> None:
        """Add the violations of this iteration's voxels."""
        if not self.due:
            return
        logits, target = logits_and_target(engine)
        if self.spatial_dims == 2:  # noqa: PLR2004 - dimensions
            logits, target = slices(logits), slices(target)
        sums = self.loss.violation_sums(logits, target).to("cpu")
        self.sums = sums if self.sums is None else self.sums + sums

    def update(self, engine: Engine) -> None:
        """Update from the violations of all processes, in each of them alike.

        Raises:
            SystemExit: a violation that is NaN or infinite, in one line.
        """
        if not self.due:
            return
        parts = [sums for sums in gathered(self.sums) if sums is not None]
        if not parts:
            return
        try:
            self.loss.multipliers.update(sum(parts[1:], start=parts[0]), self.average)
        except ValueError as error:
            stop(f"the multipliers of the loss cannot be updated: {error}")
        if is_first_process():
            self.show(engine)

    def show(self, engine: Engine) -> None:
        """Log the state by region and class, and show it in TensorBoard."""
        states = [self.loss.multipliers.get_buffer(name).tolist() for name in SHOWN]
        for region, *rows in zip(REGIONS, *states, strict=True):
            told = []
            for name, *values in zip(self.class_names, *rows, strict=True):
                told.append(f"{name} " + " / ".join(f"{value:.3g}" for value in values))
                for shown, value in zip(SHOWN, values, strict=True):
                    if self.writer is not None:
                        self.writer.add_scalar(f"{shown}/{region}/{name}", value, engine.state.epoch)
            logger.info("%s region, multiplier / coefficient / violation: %s", region, ", ".join(told))


def slices(volumes: Tensor) -> Tensor:
    """The slices of volumes (B, C, H, W, D) along their last axis as images, (B * D, C, H, W); images as they are."""
    return volumes.movedim(-1, 1).flatten(0, 1) if volumes.ndim == 5 else volumes  # noqa: PLR2004 - volumes
