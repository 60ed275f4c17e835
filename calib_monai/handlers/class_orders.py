"""Orders of classes: the one in which predicted classes fit the labeled ones best, and whether it is far better."""

from __future__ import annotations

from typing import NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

FAR_BETTER = 0.3  # by which a Dice rises; two networks on one data set rarely differ by that
GOOD = 0.5  # a Dice that the other classes or the turned predictions must have
LEAST_VOXELS = 10  # that a case must show of each class that it would fit better as another one


class Order(NamedTuple):
    """The order of the predicted classes that fits the labels best.

    Attributes:
        best: for each labeled class the predicted one.
        moved: whether a labeled class is shown and changes its place, for each.
        own: the Dice of each class that does, in its place.
        other: the same in the other place.
    """

    best: Tensor
    moved: Tensor
    own: Tensor
    other: Tensor

    @property
    def is_far_better(self) -> bool:
        """Whether the Dice of each class that changes its place rises by much, to a good mean."""
        return bool((self.other - self.own).min() > FAR_BETTER) and self.other.mean().item() > GOOD


def order_of(counts: Tensor) -> Order | None:
    """The order of the classes with the highest mean Dice; None if it is the own one, or without a background.

    Without a background even a poor network finds what there is.

    Args:
        counts: the number of voxels of each pair of a labeled and a predicted class, (C, C).
    """
    dice = dice_of_pairs(counts)
    _, columns = linear_sum_assignment(dice.numpy(), maximize=True)
    best = torch.as_tensor(columns)
    moved = (best != torch.arange(len(best))) & (counts.sum(dim=1) > 0)
    if counts[0].sum() == 0 or not moved.any():
        return None
    return Order(best, moved, dice.diagonal()[moved], dice[torch.arange(len(best)), best][moved])


def order_of_case(counts: Tensor) -> Order | None:
    """The order of the classes in which a case fits far better, if it shows enough of each class that moves there.

    These must be exchanged among themselves: one structure that is taken for another is a mistake of a network.
    """
    order = order_of(counts)
    if order is None or not order.is_far_better or order.other.min() <= GOOD:
        return None
    moving = order.best != torch.arange(len(order.best))
    shown = torch.minimum(counts.sum(dim=1), counts.sum(dim=0))[moving]
    return order if shown.min() >= LEAST_VOXELS else None


def dice_of_pairs(counts: Tensor) -> Tensor:
    """The Dice of each labeled class (row) and each predicted class (column), 0 where neither has a voxel.

    Args:
        counts: the number of voxels of each pair, (C, C).
    """
    sizes = counts.sum(dim=1, keepdim=True) + counts.sum(dim=0, keepdim=True)
    return 2 * counts / sizes.clamp(min=1)
