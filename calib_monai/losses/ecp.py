"""Explicit confidence penalty (ECP)."""

from __future__ import annotations

from torch import Tensor

from calib_monai.arguments import check_number
from calib_monai.losses.voxelwise import VoxelwiseLoss, finite, negative_log_likelihood


class ECPLoss(VoxelwiseLoss):
    r"""Cross-entropy minus the entropy of the prediction, so that certainty costs.

    ```math
    L = -\frac{1}{N} \sum_i \log p_{i, y_i}
        + \frac{w}{N K} \sum_i \sum_k p_{ik} \log p_{ik}
    ```

    with probabilities p, labels y, N voxels, K classes and w = `penalty_weight`; Pereyra et al. 2017
    (arXiv:1701.06548), Eq. 2.

    Args:
        penalty_weight: w.
        ignore_index: label of voxels that are left out of every term.

    Raises:
        ValueError: the weight is not a finite number, at least 0.

    Note:
        As in the code of MbLS and NACL the entropy is averaged over the classes, not summed. The published weight of
        0.1 was chosen for the average. The loss can be negative.
    """

    def __init__(self, penalty_weight: float = 0.1, ignore_index: int | None = None) -> None:
        super().__init__(ignore_index)
        check_number("penalty_weight", penalty_weight)
        self.penalty_weight = penalty_weight

    def per_voxel(self, logits: Tensor, padded: Tensor) -> Tensor:
        """-log p_y + w / K sum_k p_k log p_k."""
        log_probs = logits.log_softmax(dim=1)
        negative_entropy = log_probs.exp() * finite(log_probs)
        return negative_log_likelihood(log_probs, padded) + self.penalty_weight * negative_entropy.mean(dim=1)
