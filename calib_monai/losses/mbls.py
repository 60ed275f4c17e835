"""Margin-based label smoothing (MbLS)."""

from __future__ import annotations

from torch import Tensor

from calib_monai.arguments import check_choice, check_number
from calib_monai.losses.voxelwise import PENALTY_KINDS, VoxelwiseLoss, negative_log_likelihood


class MbLSLoss(VoxelwiseLoss):
    r"""Cross-entropy plus the excess, over a margin, of each logit's distance from the largest logit.

    ```math
    L = -\frac{1}{N} \sum_i \log p_{i, y_i}
        + \frac{w}{N K} \sum_i \sum_k \max(0, \max_j l_{ij} - l_{ik} - m)
    ```

    with logits l, their softmax p, labels y, N voxels, K classes, m = `margin` and
    w = `penalty_weight`; MbLS (Murugesan et al. 2023, Medical Image Analysis 87:102826), Eq. 7.

    Args:
        margin: m, at least 0. The papers use 3 to 12, most often 5.
        penalty: "linear", or "quadratic", which squares the excess.
        penalty_weight: w.
        ignore_index: label of voxels that are left out of every term.

    Raises:
        ValueError: an argument has a value that is not allowed here.

    Note:
        As in NACL the mean over classes replaces the printed sum. The authors' quadratic penalty squares before taking
        the positive part, so it punishes distances below the margin too. Here only the excess is squared.
    """

    def __init__(
        self,
        margin: float = 5.0,
        penalty: str = "linear",
        penalty_weight: float = 0.1,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(ignore_index)
        check_number("margin", margin)
        check_choice("penalty", penalty, PENALTY_KINDS)
        check_number("penalty_weight", penalty_weight)
        self.margin = margin
        self.penalty = penalty
        self.penalty_weight = penalty_weight

    def per_voxel(self, logits: Tensor, padded: Tensor) -> Tensor:
        """-log p_y + w / K sum_k max(0, max_j l_j - m - l_k)."""
        excess = (logits.amax(dim=1, keepdim=True) - self.margin - logits).relu()
        penalty = excess if self.penalty == "linear" else excess.square()
        return negative_log_likelihood(logits.log_softmax(dim=1), padded) + self.penalty_weight * penalty.mean(dim=1)
