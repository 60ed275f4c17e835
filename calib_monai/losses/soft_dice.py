"""Cross-entropy and Dice on soft labels (soft Dice)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from calib_monai.losses.svls import SVLSLoss
from calib_monai.losses.voxelwise import dice_loss, finite


class SoftDiceLoss(SVLSLoss):
    r"""SVLS plus Dice, both with labels that are smoothed where the neighborhood holds several classes.

    ```math
    L = -\frac{1}{N} \sum_i \sum_k \tau_{ik} \log p_{ik}
        + \frac{1}{B K} \sum_b \sum_k \left( 1 -
          \frac{\sum_{i \in b} (p_{ik} + \tau_{ik} - |p_{ik} - \tau_{ik}|)}{\sum_{i \in b} (p_{ik} + \tau_{ik})}
          \right)
    ```

    with probabilities p, N voxels in B images, K classes and tau the "gaussian" prior of `neighborhood_prior`, as in
    `SVLSLoss`. The second term is MONAI's `DiceLoss(soft_label=True)`, the semimetric loss of Wang et al. 2023
    (arXiv:2303.16296). It is 0 where p equals tau, so it does not push probabilities to 0 and 1.

    Args:
        kernel_size: side of the neighborhood in voxels, odd.
        sigma: standard deviation of the Gaussian in voxels, at least 0.3.
        ignore_index: label of voxels that are left out of both terms and of every neighborhood. An image that has no
            other voxel is left out, too.

    Raises:
        ValueError: an argument has a value that is not allowed here.
    """

    of_images = True

    def terms(self, logits: Tensor, padded: Tensor) -> Sequence[Tensor]:
        """-sum_k tau_k log p_k, (B, 1, ...), then |p_k - tau_k|, p_k and tau_k, (B, C, ...) each."""
        tau, log_probs = self.tau(padded, logits), logits.log_softmax(dim=1)
        probs = log_probs.exp()
        return -(tau * finite(log_probs)).sum(dim=1, keepdim=True), (probs - tau).abs(), probs, tau

    def of_image(self, *sums: Tensor) -> Tensor:
        """1 - Dice of each class, (B, C)."""
        distance, of_probs, of_tau = sums
        return dice_loss(distance, of_probs + of_tau)
