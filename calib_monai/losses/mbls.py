"""Margin-based label smoothing (MbLS)."""

from __future__ import annotations

from torch import Tensor

from calib_monai.losses.scores import Scores, Terms
from calib_monai.losses.voxelwise import PENALTIES, PenalizedCrossEntropy, checked_choice, checked_not_negative


class MbLSLoss(PenalizedCrossEntropy):
    r"""Cross-entropy plus what the distance of a logit from the largest one exceeds a margin by.

    .. math::
        L = -\frac{1}{N} \sum_i \log p_{i, y_i}
            + \frac{w}{N K} \sum_i \sum_k \max(0, \max_j l_{ij} - l_{ik} - m)

    with logits l, their softmax p, labels y, N voxels, K classes, m = `margin` and
    w = `penalty_weight`; MbLS (Murugesan et al. 2023, Medical Image Analysis 87:102826), Eq. 7.

    Args:
        margin: m, not negative. The papers use 3 to 12, and 5 most often.
        penalty: "linear", or "quadratic", the square of what exceeds the margin.
        penalty_weight: w.
        ignore_index: label of voxels that are left out of every term.

    Raises:
        ValueError: an argument outside what is listed here.

    Note:
        As in NACL the mean over classes stands for the printed sum. The authors' quadratic penalty
        squares first and takes the positive part after, which then does nothing: it punishes
        distances below the margin too. Here only what exceeds the margin is squared.
    """

    def __init__(
        self,
        margin: float = 5.0,
        penalty: str = "linear",
        penalty_weight: float = 0.1,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(penalty_weight, ignore_index)
        self.margin = checked_not_negative("margin", margin)
        self.penalty = checked_choice("penalty", penalty, PENALTIES)

    def terms(self, scores: Scores, padded: Tensor) -> Terms:  # noqa: ARG002 - others use the labels
        """What exceeds the margin, (B, C, H, W[, D])."""
        excess = scores.gaps(beyond=self.margin).relu_()
        if self.penalty == "linear":
            return Terms(excess, by_gaps=excess.sign())
        return Terms(excess.square(), by_gaps=excess.mul_(2))
