"""Turns: the other ways in which the axes of a prediction may run, and how well its foreground then fits a label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations, product
from typing import NamedTuple

import torch
from torch import Tensor

MOST_PLACES = 2**14  # voxels of a label that are looked up
AXES = "xyz"


class Turn(NamedTuple):
    """A turn of an array: which of its axes takes the place of each, and which of these runs backwards."""

    order: tuple[int, ...]
    backwards: tuple[bool, ...]

    def __str__(self) -> str:
        """The turn in words."""
        order = ", ".join(AXES[axis] for axis in self.order)
        reversed_axes = [AXES[axis] for axis, back in zip(self.order, self.backwards, strict=True) if back]
        told = [f"the axes {order}"] if list(self.order) != sorted(self.order) else []
        return " and ".join([*told, *([f"{', '.join(reversed_axes)} reversed"] if reversed_axes else [])])


def turns_of(size: Sequence[int]) -> Iterator[Turn]:
    """All turns that leave the size of an array as it is, the one that leaves all as it is first.

    Args:
        size: of the array, in voxels. An axis of length 1 stays.
    """
    axes = range(len(size))
    for order in permutations(axes):
        if all(size[axis] == size[place] and (size[place] > 1 or axis == place) for place, axis in enumerate(order)):
            for backwards in product(*((False, True) if size[axis] > 1 else (False,) for axis in order)):
                yield Turn(order, backwards)


def overlaps(label: Tensor, predicted: Tensor) -> dict[Turn, float]:
    """The number of voxels that a label and a turned prediction share, by turn; of a large label it is estimated.

    Args:
        label: the foreground, (H, W[, D]), bool.
        predicted: the same of the prediction, of this shape.
    """
    places = label.nonzero()
    taken = places[:: max(1, len(places) // MOST_PLACES)]
    last = torch.tensor(label.shape, device=label.device) - 1
    found = {}
    for turn in turns_of(label.shape):
        backwards = torch.tensor(turn.backwards, device=label.device)
        turned = torch.where(backwards, last - taken, taken)
        source = turned.new_empty(turned.shape)
        source[:, list(turn.order)] = turned
        shared = predicted[source.unbind(dim=1)].double().mean().item() if len(taken) else 0.0
        found[turn] = shared * len(places)
    return found
