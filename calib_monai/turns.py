"""Turns: the other ways in which the axes of a prediction may run, and how well its foreground then fits a label."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import permutations, product
from typing import NamedTuple

import torch
from torch import Tensor

MOST_PLACES = 2**14  # voxels of a label that are looked up, and some more
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


class Places(NamedTuple):
    """The places of some voxels of a mask.

    Attributes:
        places: their indices, (N, axes), int64.
        total: the number of all voxels of the mask.
    """

    places: Tensor
    total: int

    def before(self, turn: Turn, size: Sequence[int]) -> Tensor:
        """The places that come to these when an array of a size is turned, (N, axes)."""
        last = torch.tensor(size, device=self.places.device) - 1
        backwards = torch.tensor(turn.backwards, device=self.places.device)
        turned = torch.where(backwards, last - self.places, self.places)
        source = torch.empty_like(turned)
        source[:, list(turn.order)] = turned
        return source


def overlaps(label: Tensor, predicted: Tensor, of_label: Places | None = None) -> dict[Turn, float]:
    """The number of voxels that a label and a turned prediction share, by turn.

    It is exact for the first turn, which leaves the prediction as it is. For the others it is estimated from a random
    sample of a large label.

    Args:
        label: the foreground, (H, W[, D]), bool.
        predicted: the same of the prediction, of this shape.
        of_label: what `places_of` gives for the label, if it is known.
    """
    first, *others = turns_of(label.shape)
    some = places_of(label) if of_label is None else of_label
    found = {first: float((label & predicted).sum())}
    for turn in others:
        source = some.before(turn, label.shape)
        found[turn] = predicted[source.unbind(dim=1)].double().mean().item() * some.total if some.total else 0.0
    return found


def places_of(label: Tensor) -> Places:
    """The places of the voxels of a mask, (H, W[, D]), bool; some that are drawn at random, where it has many.

    Every slice gives its share, so that only the places of one slice are in memory.
    """
    counts = label.flatten(1).sum(dim=1).tolist()
    share = min(1.0, MOST_PLACES / max(sum(counts), 1))
    generator = torch.Generator().manual_seed(0)
    taken = [torch.zeros(0, label.ndim, dtype=torch.int64, device=label.device)]
    for index, count in enumerate(counts):
        if count:
            places = torch.nn.functional.pad(label[index].nonzero(), (1, 0), value=index)
            some = torch.randperm(count, generator=generator)[: math.ceil(count * share)]
            taken.append(places[some.to(label.device)] if share < 1 else places)
    return Places(torch.cat(taken), sum(counts))
