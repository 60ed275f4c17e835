"""The outer loop of an augmented Lagrangian: each validation updates the multipliers of the loss."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import Tensor

from calib_monai.arguments import check_choice, check_spatial_dims
from calib_monai.handlers.engine_state import logits_and_target
from calib_monai.lagrangian import AREAS, AVERAGES, Multipliers, ViolationSums
from calib_monai.processes import gathered

QUANTITIES = ("multiplier", "coefficient", "violation")

logger = logging.getLogger(__name__)


class ConstrainedLoss(Protocol):
    """A loss with multipliers, such as `calib_monai.losses.CRaCLoss`."""

    multipliers: Multipliers

    def violation_sums(self, logits: Tensor, target: Tensor) -> ViolationSums:
        """The sums that `multipliers.update` needs, from logits (B, C, ...) and class indices (B, 1, ...)."""
        ...

    def register_forward_hook(self, hook: Callable[..., None]) -> object:
        """Call the hook with (loss, arguments, value) after each forward pass, as `torch.nn.Module` does."""
        ...


class MultiplierUpdate:
    """Updates the multipliers of a loss after each validation, from the logits of all its voxels.

    A validation changes nothing if no step was trained since the last update, for example before the first epoch or in
    an evaluation. After an update the state is among the validation's metrics, for each region and class: the
    multiplier, the penalty's coefficient and the mean violation, called for example "crac/multiplier/inner/background".
    So it is in the log, in TensorBoard and in `history.csv`.

    Give it to the `additional_metrics` of a validation, and give a `key_val_metric`, too: MONAI ignores
    `additional_metrics` without one. A warning tells a training whose handler is attached to no evaluator.

    Args:
        loss: the loss of the training.
        spatial_dims: 2 if the network was trained on slices: neighborhoods in a volume then lie in its slices along the
            last axis. 3 if neighborhoods reach across slices.
        average: "all" or "region", as in `Multipliers.update`.
        class_names: the names of the classes, the background first; by default their numbers.

    Raises:
        ValueError: a loss without multipliers, an argument that is not listed here, or another number of names than of
            classes.
    """

    def __init__(
        self,
        loss: ConstrainedLoss,
        spatial_dims: int = 2,
        average: str = "all",
        class_names: Sequence[str] | None = None,
    ) -> None:
        if not isinstance(getattr(loss, "multipliers", None), Multipliers):
            kind = type(loss).__name__
            raise ValueError(f"loss is {kind}; it must have multipliers, as CRaCLoss")  # noqa: TRY004 - as all refusals
        check_spatial_dims(spatial_dims)
        check_choice("average", average, AVERAGES)
        num_classes = loss.multipliers.num_classes
        names = list(map(str, range(num_classes))) if class_names is None else list(class_names)
        if len(names) != num_classes:
            raise ValueError(f"class_names are {names}, and the loss has {num_classes} classes")
        self.loss = loss
        self.spatial_dims = spatial_dims
        self.average = average
        self.class_names = names
        self.attached = self.trained = False
        self.sums: ViolationSums | None = None
        loss.register_forward_hook(self.note)

    def attach(self, engine: Engine, name: str) -> None:
        """Collect in every run of an evaluator, update at its end. Attach it before handlers that show metrics."""
        self.attached = True
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self.collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.update, name)

    def note(self, _loss: ConstrainedLoss, _arguments: tuple[Tensor, ...], value: Tensor) -> None:
        """Note a training step; warn at the first one if no evaluator has the handler."""
        if value.requires_grad and not self.trained and not self.attached:
            logger.warning(
                "MultiplierUpdate is attached to no evaluator: it does not change the multipliers of the loss. Give it "
                "to additional_metrics, and give a key_val_metric, without which MONAI ignores additional_metrics"
            )
        self.trained |= value.requires_grad

    def start(self, _engine: Engine) -> None:
        """Forget the earlier epoch."""
        self.sums = None

    def collect(self, engine: Engine) -> None:
        """Add the violations of this iteration's voxels."""
        if not self.trained:
            return
        logits, target = logits_and_target(engine)
        if self.spatial_dims == 2:  # noqa: PLR2004 - dimensions
            logits, target = slices(logits), slices(target)
        sums = self.loss.violation_sums(logits, target).to("cpu")
        self.sums = sums if self.sums is None else self.sums + sums

    def update(self, engine: Engine, name: str) -> None:
        """Update from the violations of all processes; each process makes the same update.

        Raises:
            ValueError: a violation that is NaN or infinite.
        """
        parts = [sums for sums in gathered(self.sums) if sums is not None]
        if not parts:
            return
        try:
            self.loss.multipliers.update(sum(parts[1:], start=parts[0]), self.average)
        except ValueError as error:
            raise ValueError(f"the multipliers of the loss cannot be updated: {error}") from None
        self.trained = False
        for quantity in QUANTITIES:
            for region, values in zip(AREAS, self.loss.multipliers.get_buffer(quantity).tolist(), strict=True):
                for class_name, value in zip(self.class_names, values, strict=True):
                    engine.state.metrics[f"{name}/{quantity}/{region}/{class_name}"] = value


def slices(volumes: Tensor) -> Tensor:
    """The slices of volumes (B, C, H, W, D) along their last axis as images, (B * D, C, H, W); images as they are."""
    return volumes.movedim(-1, 1).flatten(0, 1) if volumes.ndim == 5 else volumes  # noqa: PLR2004 - volumes
