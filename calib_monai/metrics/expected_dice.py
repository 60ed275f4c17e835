"""Expected Dice: the Dice that the probabilities predict for a segmentation, without a label."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_monai.arguments import check_ignore_index
from calib_monai.metrics.imagewise import ImagewiseMetric
from calib_monai.metrics.inputs import measured_voxels, plain, probs_and_labels
from calib_monai.regions import PLAUSIBLE, Everywhere

PIECE = 2**20  # voxels that are summed at a time


class ExpectedDiceMetric(ImagewiseMetric):
    """The Dice that a network expects of its own segmentation, per image and foreground class.

    With p_k the probability of class k and s_k = 1 where it is predicted,

        expected Dice_k = 2 * sum(p_k * s_k) / (sum(p_k) + sum(s_k)),

    with sums over voxels. This is the Dice of the segmentation with the probabilities as a soft label (Milletari et al.
    2016, arXiv:1606.04797, with sums that are not squared). If labels are drawn from these probabilities, it is the
    mean numerator divided by the mean denominator. For a structure of many voxels that err independently this is close
    to the mean Dice. If it is low, a person should look at the case.

    A class that is not predicted has 0 if a voxel has it with a probability of at least 1 %, because the Dice is 0 for
    any label with the class. If no voxel has it, the value is NaN.

    Note:
        Voxels of a real case err together. The mean Dice may then lie below or above, even if the probability of each
        voxel is exact. A difference from the measured Dice does not prove that probabilities are wrong.

    Args:
        ignore_index: a label whose voxels do not count, if the segmentation is class indices.

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
                Voxels with an ignored label hold `ignore_index`.

        Raises:
            ValueError: values that are no probabilities, or shapes that do not fit.
        """
        given = probs_and_labels(y_pred, y, self.ignore_index)
        return torch.stack([_expected(probs, labels) for probs, labels in measured_voxels(Everywhere(), *given)])


def _expected(probs: Tensor, labels: Tensor) -> Tensor:
    """Expected Dice of each foreground class, (C - 1,), from probabilities (C, N) and predicted labels (N,)."""
    classes = len(probs)
    predicted, inside, total = probs.new_zeros((3, classes), dtype=torch.float64)
    found = torch.zeros_like(total, dtype=torch.bool)
    for start in range(0, probs.shape[1], PIECE):
        piece, place = probs[:, start : start + PIECE], plain(labels)[start : start + PIECE].long()
        of_label = piece.gather(0, place.unsqueeze(0)).squeeze(0).double()
        predicted += torch.bincount(place, minlength=classes)
        inside += torch.bincount(place, of_label, minlength=classes)
        total += piece.double().sum(dim=1)
        found |= (piece >= PLAUSIBLE).any(dim=1)
    expected: Tensor = 2 * inside / (total + predicted)
    return expected.masked_fill(~(found | (predicted > 0)), float("nan"))[1:]
