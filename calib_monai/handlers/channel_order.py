"""The order of channels: refuses predictions whose channels are those of other classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from ignite.engine import Engine, Events
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from calib_monai.handlers.readings import given_of, ignored_label, items
from calib_monai.metrics.inputs import plain

FAR_BETTER = 0.3  # by which the mean Dice rises in another order; two networks on one data set rarely differ by that
GOOD = 0.5  # mean Dice that another order must have


class ChannelOrder:
    """Stops an evaluator before its results are written if another order of the channels fits the labels far better.

    All cases together decide. The order with the highest mean Dice, background included, is the one of the linear sum
    assignment. Attach it before what writes results.

    Args:
        class_names: the names of the classes, the background first.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = list(class_names)
        self.counts = torch.zeros(0)

    def attach(self, engine: Engine) -> None:
        """Count during a run of an evaluator, and judge at its end."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.judge)

    def start(self, _engine: Engine) -> None:
        """Forget the earlier run."""
        self.counts = torch.zeros(len(self.class_names), len(self.class_names), dtype=torch.float64)

    def update(self, engine: Engine) -> None:
        """Count the voxels of each labeled and each predicted class in this iteration's cases."""
        classes = len(self.class_names)
        for item in items(engine):
            _, labels, ignored = given_of(item, ignored_label(engine))
            for index, (of_label, predicted) in enumerate(zip(labels[0, 0], plain(item["pred"])[0], strict=True)):
                pairs = of_label.int() * classes + predicted.int()
                pairs = pairs.flatten() if ignored is None else pairs[~ignored[0, 0, index]]
                self.counts += pairs.bincount(minlength=classes**2).view(classes, classes)

    def judge(self, _engine: Engine) -> None:
        """Raise ValueError if another order of the channels has a far higher mean Dice."""
        dice = dice_of_pairs(self.counts)
        shown = self.counts.sum(dim=1) > 0
        _, best = linear_sum_assignment(dice.numpy(), maximize=True)
        here, there = dice.diagonal()[shown].mean().item(), dice[torch.arange(len(dice)), best][shown].mean().item()
        if there - here > FAR_BETTER and there > GOOD:
            order = [self.class_names[index] for index in torch.as_tensor(best).argsort()]
            raise ValueError(
                f"the channels look like those of other classes: as {', '.join(self.class_names)} their mean Dice is "
                f"{here:.2f}, and as {', '.join(order)} it is {there:.2f}; give the names in the order of the "
                f"channels, --order {' '.join(order)}, or the order that you have, which is then not doubted"
            )


def dice_of_pairs(counts: Tensor) -> Tensor:
    """The Dice of each labeled class (row) and each predicted class (column), 0 where neither has a voxel.

    Args:
        counts: the number of voxels of each pair, (C, C).
    """
    sizes = counts.sum(dim=1, keepdim=True) + counts.sum(dim=0, keepdim=True)
    return 2 * counts / sizes.clamp(min=1)
