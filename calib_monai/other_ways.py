"""Other ways in which predictions may lie: turned, moved by a few voxels, or beside the label of another case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from calib_monai.turns import AXES, Places, Turn, places_of, turns_of

MOST_MOVED = 2  # voxels


class Shift(NamedTuple):
    """A prediction that is moved along an axis, by a number of voxels."""

    axis: int
    voxels: int

    def __str__(self) -> str:
        """The shift in words."""
        return f"moved by {self.voxels:+d} voxel{'s' if abs(self.voxels) > 1 else ''} along {AXES[self.axis]}"


class Neighbor(NamedTuple):
    """A prediction that is compared with the label of another case: the next one (1) or the previous one (-1)."""

    step: int

    def __str__(self) -> str:
        """Which case, in words."""
        return f"the {'next' if self.step > 0 else 'previous'} case"


Way: TypeAlias = Turn | Shift | Neighbor


class Structures(NamedTuple):
    """Some voxels of the structures of a label map.

    Attributes:
        some: where they lie.
        classes: of each, (N,).
        size: of the map, in voxels.
    """

    some: Places
    classes: Tensor
    size: tuple[int, ...]

    def found_in(self, other: Tensor, source: Tensor) -> float:
        """The number of voxels, of all, that have the same class in another map; estimated for many.

        Args:
            other: a map of this size.
            source: the places of the voxels in it, (N, axes); those outside of the map have no class.
        """
        if not self.some.total:
            return 0.0
        size = torch.tensor(self.size, device=source.device)
        inside = ((source >= 0) & (source < size)).all(dim=1)
        same = other[source.clamp(min=0).minimum(size - 1).unbind(dim=1)] == self.classes
        return (same & inside).double().mean().item() * self.some.total


def structures_of(classes: Tensor, of_structures: Places | None = None) -> Structures:
    """The structures of a label map.

    Args:
        classes: the map, (H, W[, D]); 0 is the background.
        of_structures: what `places_of` gives for its structures, if it is known.
    """
    some = places_of(classes > 0) if of_structures is None else of_structures
    return Structures(some, classes[some.places.unbind(dim=1)], tuple(classes.shape))


def shifts_of(size: Sequence[int]) -> Iterator[Shift]:
    """The shifts by at most `MOST_MOVED` voxels that leave some of an array of this size where it was."""
    for axis, length in enumerate(size):
        for voxels in range(1, min(MOST_MOVED, length - 1) + 1):
            yield from (Shift(axis, voxels), Shift(axis, -voxels))


class WaysInOrder:
    """Gives the Dice of each case in all ways; the cases come one after the other, in order.

    This Dice is that of all structures together: a voxel is right if it has the class of the label.
    """

    def __init__(self) -> None:
        self.before: tuple[dict[Way, float], Structures, Structures] | None = None

    def dice_of(self, label: Tensor, predicted: Tensor, of_label: Places | None = None) -> dict[Way, float]:
        """The Dice of a case by way; the first way leaves the prediction as it is.

        A case of the size of the earlier one also has the ways of `Neighbor`: its own is added here, and that of the
        earlier case to what was given for that one.

        Args:
            label: the label map, (H, W[, D]); 0 is the background.
            predicted: the same of the prediction, of this shape.
            of_label: what `places_of` gives for the structures of the label, if it is known.
        """
        labeled, found = structures_of(label, of_label), structures_of(predicted)
        both = max(labeled.some.total + found.some.total, 1)
        dice: dict[Way, float] = {}
        for turn in turns_of(label.shape):
            dice[turn] = 2 * labeled.found_in(predicted, labeled.some.before(turn, label.shape)) / both
        for shift in shifts_of(label.shape):
            source = labeled.some.places.clone()
            source[:, shift.axis] -= shift.voxels
            dice[shift] = 2 * labeled.found_in(predicted, source) / both
        if self.before is not None and self.before[1].size == labeled.size:
            earlier, of_earlier, found_earlier = self.before
            shared = of_earlier.found_in(predicted, of_earlier.some.places)
            dice[Neighbor(-1)] = 2 * shared / max(of_earlier.some.total + found.some.total, 1)
            shared = found_earlier.found_in(label, found_earlier.some.places)
            earlier[Neighbor(1)] = 2 * shared / max(labeled.some.total + found_earlier.some.total, 1)
        self.before = dice, labeled, found
        return dice
