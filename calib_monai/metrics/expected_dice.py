"""Expected Dice: the Dice that the probabilities predict for a segmentation, without a label."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_monai.arguments import check_ignore_index
from calib_monai.metrics.imagewise import ImagewiseMetric
from calib_monai.metrics.inputs import measured_voxels, pieces_of, probs_and_labels
from calib_monai.regions import PLAUSIBLE, Everywhere


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
        ignore_index: a label whose voxels do not count.

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
        probs, labels, ignored = probs_and_labels(y_pred, y, self.ignore_index)
        masks = [None] * len(probs) if ignored is None else ignored
        return torch.stack([_expected(*image) for image in zip(probs, labels, masks, strict=True)])


def _expected(probs: Tensor, labels: Tensor, ignored: Tensor | None) -> Tensor:
    """Expected Dice of each foreground class, (C - 1,).

    Args:
        probs: probabilities, (C, H, W[, D]).
        labels: predicted class indices, (1, H, W[, D]).
        ignored: voxels that do not count, (1, H, W[, D]), bool, or None.
    """
    classes = len(probs)
    predicted, inside, total = probs.new_zeros((3, classes), dtype=torch.float64)
    found = torch.zeros_like(total, dtype=torch.bool)
    for here in pieces_of(probs):
        left_out = None if ignored is None else ignored[here][None]
        given = probs[here][None], labels[here][None], left_out
        [(piece, of_piece)] = measured_voxels(Everywhere(), *given, whole=probs[None])
        place = of_piece.long()
        of_label = piece.gather(0, place.unsqueeze(0)).squeeze(0).double()
        predicted += torch.bincount(place, minlength=classes)
        inside += torch.bincount(place, of_label, minlength=classes)
        total += piece.double().sum(dim=1)
        found |= (piece >= PLAUSIBLE).any(dim=1)
    expected: Tensor = 2 * inside / (total + predicted)
    return expected.masked_fill(~(found | (predicted > 0)), float("nan"))[1:]
