"""Compound loss: a weighted sum of losses, such as MbLS and Dice."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from calib_monai.arguments import check_number
from calib_monai.losses.targets import class_labels
from calib_monai.losses.uncompiled import uncompiled


class CompoundLoss(nn.Module):
    """Sum of losses, each times its weight.

    Args:
        losses: each a function of (logits, target), by name.
        weights: the weight of each loss, at least 0, by the same names.

    Raises:
        ValueError: there is no loss, names differ or are no words, a weight is negative or not finite, or the losses
            ignore different labels.

    Examples:
        >>> from monai.losses import DiceLoss
        >>> dice = DiceLoss(include_background=False, softmax=True, to_onehot_y=True)
        >>> loss = CompoundLoss({"dice": dice, "again": dice}, {"dice": 1.0, "again": 0.5})
        >>> loss(torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 4, 4)) == 1.5 * dice(
        ...     torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 4, 4)
        ... )
        tensor(True)
    """

    def __init__(self, losses: Mapping[str, nn.Module], weights: Mapping[str, float]) -> None:
        super().__init__()
        if not (isinstance(losses, Mapping) and isinstance(weights, Mapping)):
            raise ValueError("losses and weights must each be a dictionary, by name")  # noqa: TRY004 - as all refusals
        if not losses or losses.keys() != weights.keys():
            raise ValueError(f"losses are {list(losses)} and weights {list(weights)}; the names must be the same")
        for name, weight in weights.items():
            if not str(name).isidentifier() or hasattr(nn.ModuleDict(), str(name)):
                raise ValueError(f"a loss is called {name!r}; a name is a word, and none that a ModuleDict has")
            check_number(f"the weight of {name}", weight)
        indices = (getattr(loss, "ignore_index", None) for loss in losses.values())
        ignored = {index for index in indices if index is not None}
        if len(ignored) > 1:
            raise ValueError(f"ignore_index is {sorted(ignored)} in these losses; it must be one")
        self.ignore_index = next(iter(ignored), None)
        self.losses = nn.ModuleDict(losses)
        self.weights = dict(weights)

    @uncompiled  # as its members are
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss, a scalar.

        Args:
            logits: (B, C, H, W[, D]).
            target: class indices, (B, 1, H, W[, D]).

        Raises:
            ValueError: `class_labels` or one of the losses refuses the logits or the target.
        """
        class_labels(logits, target, self.ignore_index)  # not every library's error names the wrong label
        terms = [self.weights[name] * loss(logits, target) for name, loss in self.losses.items()]
        return torch.stack(terms).sum()
