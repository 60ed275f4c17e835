"""Expected Dice: the Dice that the probabilities predict for a segmentation, without a label."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_monai.metrics.imagewise import ImagewiseMetric
from calib_monai.metrics.inputs import measured_voxels, plain, probs_and_labels
from calib_monai.regions import Everywhere


class ExpectedDiceMetric(ImagewiseMetric):
    """The Dice that a network expects of its own segmentation, per image and class but the background.

    With p_k the probability of class k and s_k = 1 where it is predicted,

        expected Dice_k = 2 * sum(p_k * s_k) / (sum(p_k) + sum(s_k)),

    sums over voxels: the Dice of the segmentation with the probabilities as a soft label (Milletari et al. 2016,
    arXiv:1606.04797, with sums that are not squared). Where voxels are labeled with these probabilities, it is the mean
    of the numerator over that of the denominator, which is close to the mean Dice where a structure has many voxels.
    Where it differs from the Dice that is measured, the probabilities are wrong; where it is low, a person should look.

    NaN where a class is not predicted: a structure that the network never saw has no Dice that it expects.

    Note:
        Voxels with an ignored label count here, for nothing of the label is known.
    """

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """Expected Dice, (B, C - 1).

        Args:
            y_pred: probabilities, (B, C, H, W[, D]).
            y: the segmentation: predicted class indices (B, 1, H, W[, D]) or one-hot (B, C, H, W[, D]).

        Raises:
            ValueError: values that are no probabilities, or shapes that do not fit.
        """
        given = probs_and_labels(y_pred, y)
        return torch.stack([_expected(probs, labels) for probs, labels in measured_voxels(Everywhere(), *given)])


def _expected(probs: Tensor, labels: Tensor) -> Tensor:
    """Expected Dice of each class but the background, (C - 1,), of probabilities (C, N) and predicted labels (N,)."""
    classes, place = len(probs), plain(labels).long()
    predicted = torch.bincount(place, minlength=classes).double()
    of_label = probs.gather(0, place.unsqueeze(0)).squeeze(0).double()
    inside = torch.bincount(place, of_label, minlength=classes)
    expected = 2 * inside / (probs.double().sum(dim=1) + predicted)
    return expected.masked_fill(predicted == 0, float("nan"))[1:]
