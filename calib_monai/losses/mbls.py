"""Margin-based label smoothing (MbLS)."""

from __future__ import annotations

from torch import Tensor

from calib_monai.losses.voxelwise import PENALTIES, VoxelwiseLoss, checked_choice, checked_weight, shaped


class MbLSLoss(VoxelwiseLoss):
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
        super().__init__(ignore_index)
        if not margin >= 0:
            raise ValueError(f"margin is {margin}; it must not be negative")
        self.margin = margin
        self.penalty = checked_choice("penalty", penalty, PENALTIES)
        self.penalty_weight = checked_weight(penalty_weight)

    def voxel_losses(self, logits: Tensor, log_probs: Tensor, padded: Tensor) -> Tensor:
        """Loss of each voxel, (B, H, W[, D])."""
        distance = logits.amax(dim=1, keepdim=True) - logits
        excess = (distance - self.margin).relu()
        return self.cross_entropy(log_probs, padded) + self.penalty_weight * shaped(excess, self.penalty).mean(dim=1)
