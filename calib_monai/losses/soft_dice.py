"""Cross-entropy and Dice on soft labels (soft Dice)."""

from __future__ import annotations

import torch
from monai.losses import DiceLoss
from torch import Tensor

from calib_monai.losses.svls import SVLSLoss
from calib_monai.losses.targets import ignored_voxels
from calib_monai.priors import inner


class SoftDiceLoss(SVLSLoss):
    r"""SVLS plus Dice, both with labels that are smoothed where their neighborhood is mixed.

    .. math::
        L = -\frac{1}{N} \sum_i \sum_k \tau_{ik} \log p_{ik}
            + \frac{1}{B K} \sum_b \sum_k \left( 1 -
              \frac{\sum_{i \in b} (p_{ik} + \tau_{ik} - |p_{ik} - \tau_{ik}|)}{\sum_{i \in b} (p_{ik} + \tau_{ik})}
              \right)

    with probabilities p, N voxels in B images, K classes and tau the "gaussian" prior of `neighborhood_prior`, as in
    `SVLSLoss`. The second term is MONAI's `DiceLoss(soft_label=True)`, the semimetric loss of Wang et al. 2023
    (arXiv:2303.16296): it is 0 where p equals a soft label, and so does not push probabilities to 0 and 1.

    Args:
        kernel_size: side of the neighborhood in voxels, odd.
        sigma: width of the Gaussian in voxels, at least 0.3.
        ignore_index: label of voxels that are left out of both terms and of every neighborhood.

    Raises:
        ValueError: an argument outside what is listed here.
    """

    def __init__(self, kernel_size: int = 3, sigma: float = 2.0, ignore_index: int | None = None) -> None:
        super().__init__(kernel_size, sigma, ignore_index)
        self.dice = DiceLoss(soft_label=True)

    def of_padded(self, logits: Tensor, padded: Tensor) -> Tensor:
        """The loss, a scalar, of logits as in `forward` and what `padded_labels` makes of the target."""
        ignored = ignored_voxels(inner(padded, self.radius))
        single = logits.as_subclass(Tensor).to(torch.promote_types(logits.dtype, torch.float32))
        probs = single.masked_fill(ignored, 0).softmax(dim=1)
        tau = self.soft_labels(padded, logits.shape[1])
        overlap: Tensor = self.dice(probs.masked_fill(ignored, 0), tau.masked_fill(ignored, 0))
        return super().of_padded(logits, padded) + overlap
