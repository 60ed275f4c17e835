"""Pairwise Dice: how much the label maps of several networks overlap, without a label."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor

from calib_monai.metrics.class_indices import indices_of_usual_type
from calib_monai.metrics.confusion import confusion_matrix, dice_of
from calib_monai.metrics.imagewise import ImagewiseMetric
from calib_monai.metrics.inputs import plain

LEAST_MAPS = 2  # label maps


class PairwiseDiceMetric(ImagewiseMetric):
    """The mean Dice between the segmentations of the members of an ensemble, one number per image.

    For each two members it is the mean Dice over the foreground classes that one of them predicts, and then the mean
    over all pairs (Roy et al. 2019, arXiv:1811.09800; Zenk et al. 2025, arXiv:2406.03323, who found that it ranks
    failures best). If the members disagree, a person should look at the case. An image without any predicted structure
    has no value, NaN.
    """

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None) -> Tensor:  # type: ignore[override] # noqa: ARG002 - MONAI gives both
        """The number of each image, (B, 1), float64.

        Args:
            y_pred: class indices of M members, (B, M, H, W[, D]).
            y: not used.

        Raises:
            ValueError: fewer than two members, or values that are no class indices.
        """
        return torch.stack([pairwise_dice(image) for image in y_pred]).unsqueeze(1)


def pairwise_dice(labels: Tensor) -> Tensor:
    """The mean Dice between label maps, a float64 scalar on their device; NaN if none has a structure.

    Args:
        labels: class indices of M members, (M, H, W[, D]), 0 the background.

    Raises:
        ValueError: fewer than two members, or values that are no class indices.

    Examples:
        >>> import torch
        >>> round(pairwise_dice(torch.tensor([[[1, 1, 0, 0]], [[1, 0, 0, 0]], [[1, 1, 0, 2]]])).item(), 4)
        0.5
    """
    if len(labels) < LEAST_MAPS or not labels[0].numel():
        raise ValueError(f"labels are {tuple(labels.shape)}; they must be the label maps of two members or more")
    members = indices_of_usual_type("labels", plain(labels)).flatten(1)
    if labels.is_floating_point() or members.min() < 0:
        raise ValueError(f"labels are {labels.dtype} from {members.min().item()}; they must be class indices from 0 on")
    classes = int(members.max()) + 1
    return torch.stack([_dice(one, other, classes) for one, other in combinations(members, 2)]).nanmean()


def _dice(one: Tensor, other: Tensor, classes: int) -> Tensor:
    """The mean Dice between two label maps (N,) over the foreground classes of either; NaN if there is none."""
    return dice_of(confusion_matrix(one, other, classes))[1:].nanmean()
