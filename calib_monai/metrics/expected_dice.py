"""Expected Dice: the Dice that the probabilities predict for a segmentation, without a label."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_monai.arguments import check_ignore_index
from calib_monai.metrics.imagewise import ImagewiseMetric
from calib_monai.metrics.inputs import measured_voxels, plain, probs_and_labels
from calib_monai.regions import PLAUSIBLE, Everywhere


class ExpectedDiceMetric(ImagewiseMetric):
    """The Dice that a network expects of its own segmentation, per image and class but the background.

    With p_k the probability of class k and s_k = 1 where it is predicted,

        expected Dice_k = 2 * sum(p_k * s_k) / (sum(p_k) + sum(s_k)),

    sums over voxels: the Dice of the segmentation with the probabilities as a soft label (Milletari et al. 2016,
    arXiv:1606.04797, with sums that are not squared). Where voxels are labeled with these probabilities, it is the mean
    of the numerator over that of the denominator. Where a structure has many voxels and these err independently, that
    is close to the mean Dice. Where it is low, a person should look.

    A class that is not predicted has 0 where some voxel has it with a probability of at least 1 %, for the Dice is 0
    with any label that has the class. Where no voxel has, it is NaN.

    Note:
        Voxels of a real case err together, and then the mean Dice may lie below or above, even where the probability
        of each voxel is exact. So a difference from the Dice that is measured does not alone show that probabilities
        are wrong.

    Args:
        ignore_index: label of voxels that do not count, where the segmentation is class indices.

    Raises:
        ValueError: an `ignore_index` that is no whole number.
    """

    def __init__(self, ignore_index: int | None = None) -> None:
        super().__init__()
        check_ignore_index(ignore_index)
        self.ignore_index = ignore_index

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """Expected Dice, (B, C - 1).

        Args:
            y_pred: probabilities, (B, C, H, W[, D]).
            y: the segmentation: predicted class indices (B, 1, H, W[, D]) or one-hot (B, C, H, W[, D]).
                `ignore_index` where the label is ignored.

        Raises:
            ValueError: values that are no probabilities, or shapes that do not fit.
        """
        given = probs_and_labels(y_pred, y, self.ignore_index)
        return torch.stack([_expected(probs, labels) for probs, labels in measured_voxels(Everywhere(), *given)])


def _expected(probs: Tensor, labels: Tensor) -> Tensor:
    """Expected Dice of each class but the background, (C - 1,), of probabilities (C, N) and predicted labels (N,)."""
    classes, place = len(probs), plain(labels).long()
    predicted = torch.bincount(place, minlength=classes).double()
    of_label = probs.gather(0, place.unsqueeze(0)).squeeze(0).double()
    inside = torch.bincount(place, of_label, minlength=classes)
    expected = 2 * inside / (probs.double().sum(dim=1) + predicted)
    found = (predicted > 0) | (probs >= PLAUSIBLE).any(dim=1)
    return expected.masked_fill(~found, float("nan"))[1:]
