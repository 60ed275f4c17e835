"""Explicit confidence penalty (ECP)."""

from __future__ import annotations

from torch import Tensor

from calib_monai.losses.scores import Scores, Terms
from calib_monai.losses.voxelwise import PenalizedCrossEntropy


class ECPLoss(PenalizedCrossEntropy):
    r"""Cross-entropy minus the entropy of the prediction: certainty costs.

    .. math::
        L = -\frac{1}{N} \sum_i \log p_{i, y_i}
            + \frac{w}{N K} \sum_i \sum_k p_{ik} \log p_{ik}

    with probabilities p, labels y, N voxels, K classes and w = `penalty_weight`; Pereyra et al. 2017
    (arXiv:1701.06548), Eq. 2.

    Args:
        penalty_weight: w.
        ignore_index: label of voxels that are left out of every term.

    Raises:
        ValueError: a negative weight.

    Note:
        As in the code of MbLS and NACL the entropy is averaged over the classes, not summed: the
        published weight of 0.1 belongs to it. It can make the loss negative.
    """

    def __init__(self, penalty_weight: float = 0.1, ignore_index: int | None = None) -> None:
        super().__init__(penalty_weight, ignore_index)

    def terms(self, scores: Scores, padded: Tensor) -> Terms:  # noqa: ARG002 - others use the labels
        """The negative entropy, the sum of p log p over the classes, (B, 1, H, W[, D])."""
        terms = scores.from_largest.mul_(scores.probs)
        # The slope is p log p + p, and multiples of p may be left out: log p is l - max l, but for one of 1.
        return Terms(terms.sum(dim=1, keepdim=True).sub_(scores.log_sums), by_log_probs=terms)
