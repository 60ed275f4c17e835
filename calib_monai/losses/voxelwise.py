"""What the losses share: terms of each voxel and class, averaged over the voxels, beside cross-entropy."""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod

from torch import Tensor, nn

from calib_monai.losses.pieces import mean_over_voxels
from calib_monai.losses.scores import Scores, Terms
from calib_monai.losses.targets import class_labels
from calib_monai.losses.uncompiled import uncompiled
from calib_monai.priors import pad_labels

PENALTIES = ("linear", "quadratic")


class VoxelwiseLoss(nn.Module, ABC):
    """Mean over voxels of cross-entropy plus a weight times the sum over classes of `terms`.

    Args:
        ignore_index: label of voxels that are left out of every term and every neighborhood.

    Raises:
        ValueError: an `ignore_index` that is not a whole number.
    """

    with_cross_entropy = True
    radius = 0  # voxels around a voxel whose labels its terms depend on
    border = "replicate"

    def __init__(self, ignore_index: int | None = None) -> None:
        super().__init__()
        check_ignore_index(ignore_index)
        self.ignore_index = ignore_index

    @abstractmethod
    def weight(self, num_classes: int) -> float:
        """What the terms are multiplied by."""

    @abstractmethod
    def terms(self, scores: Scores, padded: Tensor) -> Terms:
        """Terms of each class at each voxel, (B, C, H, W[, D]); of an ignored voxel they are not used.

        Args:
            scores: of the network, each (B, C, H, W[, D]).
            padded: labels with `radius` more voxels on every side, (B, 1, ...), as `class_labels` makes them.
        """

    @uncompiled  # its gradient is its own
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss, a scalar; 0 where every voxel is ignored.

        Args:
            logits: (B, C, H, W[, D]), any float dtype.
            target: class indices, (B, 1, H, W[, D]), integer or float dtype.

        Raises:
            ValueError: what `class_labels` refuses: shapes that do not fit, or a label outside 0..C-1.
        """
        padded = self.padded_labels(logits, target)
        return mean_over_voxels(self, logits.as_subclass(Tensor), padded)

    def padded_labels(self, logits: Tensor, target: Tensor) -> Tensor:
        """The labels as `terms` takes them, with `radius` more voxels on every side, (B, 1, ...).

        Raises:
            ValueError: what `class_labels` refuses.
        """
        return pad_labels(class_labels(logits, target, self.ignore_index), self.radius, self.border)

    def extra_repr(self) -> str:
        """The arguments it was made with."""
        return ", ".join(
            f"{name}={getattr(self, name)!r}"
            for name in inspect.signature(type(self)).parameters
            if hasattr(self, name)
        )


class PenalizedCrossEntropy(VoxelwiseLoss):
    """Cross-entropy plus `penalty_weight` times the mean over voxels and classes of `terms`.

    Args:
        penalty_weight: not negative.
        ignore_index: as for `VoxelwiseLoss`.

    Raises:
        ValueError: a weight that is negative or not finite.
    """

    def __init__(self, penalty_weight: float, ignore_index: int | None) -> None:
        super().__init__(ignore_index)
        checked_not_negative("penalty_weight", penalty_weight)
        self.penalty_weight = penalty_weight

    def weight(self, num_classes: int) -> float:
        """The weight of each class's term."""
        return self.penalty_weight / num_classes


def checked_not_negative(name: str, value: float) -> float:
    """The value; raises ValueError where it is no finite number from 0 on."""
    if not (isinstance(value, int | float) and math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} is {value!r}; it must be a finite number, not negative")
    return value


def check_ignore_index(ignore_index: int | None) -> None:
    """Raise ValueError if this is neither a whole number nor None."""
    if not (ignore_index is None or isinstance(ignore_index, int)):
        raise ValueError(f"ignore_index is {ignore_index!r}; it must be a whole number or None")


def check_border(border: str, ignore_index: int | None) -> None:
    """Nothing; raises ValueError where the class that lies beyond the edge of the image is ignored."""
    if border == "background" and ignore_index == 0:
        raise ValueError("border is 'background' and ignore_index is 0, its class; use border 'replicate'")


def checked_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """The value; raises ValueError where it is none of the choices."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; it must be one of {choices}")
    return value
