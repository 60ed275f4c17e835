"""Control: what a constant in the foreground's logits alone does to the papers' measures. It is no calibrator."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import NamedTuple

import torch
from monai.metrics import DiceMetric
from torch import Tensor, nn

from calib_monai.posthoc.errors import Errors, errors_of, mean_errors
from calib_monai.posthoc.validation_set import Data, Item, ValidationSet

CONSTANTS = tuple(step / 4 for step in range(-4, 13))  # -1 to 3
TOLERANCE = 0.005  # of Dice, as in the choice of a training
DIGITS = 6  # of a difference of Dice: what lies behind them is of the computer
RULE = (
    "the constant with the lowest ECE on label foreground in the validation cases, among those whose Dice there is "
    f"within {TOLERANCE} of the best"
)


class Shifted(NamedTuple):
    """What a constant gave on the validation cases, on the network's grid: mean Dice of the structures, and errors."""

    constant: float
    dice: float
    errors: Errors


@dataclass(frozen=True)
class ControlReport:
    """What each constant gave, and the chosen one.

    Attributes:
        tried: one for each of `CONSTANTS`.
        chosen: one of them, by `RULE`.
        volumes: number of images or volumes.
    """

    tried: list[Shifted]
    chosen: Shifted
    volumes: int

    @property
    def before(self) -> Shifted:
        """What the constant 0 gave."""
        return next(one for one in self.tried if one.constant == 0)


class ForegroundShift(nn.Module):
    """Adds one constant to the logits of all foreground classes.

    ECE on label foreground falls if a network says "foreground" more often, although its likelihood and its volumes
    become worse (docs/measures.md). The network with the constant that `RULE` chooses is a control for tables of this
    measure: a method that is not better than the control has not shown that it calibrates. Only evaluations take it.

    Attributes:
        shift: the constant, a scalar; 0 until `fit`.

    Examples:
        >>> control = ForegroundShift()
        >>> _ = control.shift.fill_(1.0)
        >>> control(torch.zeros(1, 3, 1, 1)).flatten()
        tensor([0., 1., 1.])
    """

    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", torch.zeros(()))

    def forward(self, logits: Tensor, image: Tensor | None = None) -> Tensor:  # noqa: ARG002 - as calibrators
        """Shifted logits, (B, C, H, W[, D]), float64 if the logits are, else float32.

        Args:
            logits: (B, C, H, W[, D]), any float dtype, the background first.
            image: not used.
        """
        return shifted_foreground(logits.to(torch.promote_types(logits.dtype, torch.float32)), self.shift)

    @staticmethod
    def check_fit() -> None:
        """Raise ValueError if an option is wrong; this fit has none."""

    @torch.no_grad()
    def fit(self, data: Data, ignore_index: int | None = None) -> ControlReport:
        """Choose the constant by `RULE`.

        Args:
            data: the validation set, as in `TemperatureScaling.fit`. It is iterated once.
            ignore_index: a label whose voxels do not count.

        Raises:
            ValueError: what `ValidationSet` refuses, or no case shows any structure.
        """
        rows: list[list[Tensor]] = [[] for _ in CONSTANTS]
        dice: list[list[Tensor]] = [[] for _ in CONSTANTS]
        for item in ValidationSet(data, "all", self.shift.device, ignore_index):
            for place, constant in enumerate(CONSTANTS):
                probs = shifted_foreground(item.logits, constant).softmax(dim=1)
                rows[place].append(errors_of(probs, item.labels, item.ignored))
                dice[place].append(_dice(probs, item))
        tried = [
            Shifted(constant, torch.cat(overlaps).nanmean().item(), mean_errors(of_cases))
            for constant, overlaps, of_cases in zip(CONSTANTS, dice, rows, strict=True)
        ]
        chosen = chosen_by_rule(tried)
        self.shift.fill_(chosen.constant)
        return ControlReport(tried, chosen, sum(map(len, rows[0])))


def chosen_by_rule(tried: list[Shifted]) -> Shifted:
    """The one that `RULE` chooses; of equal ones that with the constant nearest to 0.

    Raises:
        ValueError: no validation case shows a structure, so that nothing was measured.
    """
    known = [one for one in tried if not isnan(one.dice + one.errors.ece_foreground)]
    if not known:
        raise ValueError("no validation case shows a structure; a control needs some to choose its constant by")
    best = max(one.dice for one in known)
    near = [one for one in known if round(best - one.dice, DIGITS) <= TOLERANCE]
    return min(near, key=lambda one: (one.errors.ece_foreground, abs(one.constant)))


def shifted_foreground(logits: Tensor, constant: Tensor | float) -> Tensor:
    """Logits (B, C, ...) with a constant added to those of all classes but the first."""
    return torch.cat([logits[:, :1], logits[:, 1:] + constant], dim=1)


def _dice(probs: Tensor, item: Item) -> Tensor:
    """The Dice of each image, the mean over the structures that its label has, (B,)."""
    predicted = probs.argmax(dim=1, keepdim=True)
    if item.ignored is not None:
        predicted = predicted.masked_fill(item.ignored, 0)
    metric = DiceMetric(include_background=False, num_classes=probs.shape[1])
    found = torch.as_tensor(metric(predicted, item.labels)).as_subclass(Tensor)
    return found.nanmean(dim=1).cpu()
