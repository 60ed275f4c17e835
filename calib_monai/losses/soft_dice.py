"""Cross-entropy and Dice on soft labels (soft Dice)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from calib_monai.losses.svls import SVLSLoss

SMOOTH = 1e-5  # MONAI's; the second term is 0 where a class has neither label nor probability


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
        sigma: width of the Gaussian in voxels, at least 0.3.
        ignore_index: label of voxels that are left out of both terms and of every neighborhood. An image that has no
            other voxel is left out, too.

    Raises:
        ValueError: an argument has a value that is not allowed here.
    """

    of_images = True

    def terms(self, logits: Tensor, padded: Tensor) -> Sequence[Tensor]:
        """-sum_k tau_k log p_k, (B, 1, ...), then |p_k - tau_k|, p_k and tau_k, (B, C, ...) each."""
        tau = self.soft_labels(padded, logits.shape[1]).to(logits)
        log_probs = logits.log_softmax(dim=1)
        probs = log_probs.exp()
        return -(tau * log_probs).sum(dim=1, keepdim=True), (probs - tau).abs(), probs, tau

    def of_sums(self, sums: Tensor, images: int, voxels: int) -> Tensor:
        """The cross-entropy, a mean over voxels, plus Dice, a mean over images and classes."""
        distance, of_probs, of_tau = sums[:, 1:].chunk(3, dim=1)
        dice = distance / (of_probs + of_tau + SMOOTH)
        return sums[:, 0].sum() / voxels + dice.mean(dim=1).sum() / images
