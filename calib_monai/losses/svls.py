"""Spatially varying label smoothing (SVLS)."""

from __future__ import annotations

from torch import Tensor

from calib_monai.losses.voxelwise import VoxelwiseLoss
from calib_monai.priors import check_prior, window_prior


class SVLSLoss(VoxelwiseLoss):
    r"""Cross-entropy with labels that are smoothed where the neighborhood holds several classes.

    ```math
    L = -\frac{1}{N} \sum_i \sum_k \tau_{ik} \log p_{ik}
    ```

    with probabilities p, N voxels and tau the "gaussian" prior of `neighborhood_prior`, in which the
    voxel's own label weighs one half; SVLS (Islam and Glocker 2021, arXiv:2104.05788), Eq. 3.

    Args:
        kernel_size: side of the neighborhood in voxels, odd.
        sigma: width of the Gaussian in voxels, at least 0.3. It divides the neighbors' half between near and far
            ones.
        ignore_index: label of voxels that are left out of every term and every neighborhood.

    Raises:
        ValueError: an argument has a value that is not allowed here.
    """

    def __init__(self, kernel_size: int = 3, sigma: float = 2.0, ignore_index: int | None = None) -> None:
        super().__init__(ignore_index)
        check_prior("gaussian", kernel_size, sigma, self.border)
        self.kernel_size = kernel_size
        self.sigma = sigma
        self.radius = kernel_size // 2

    def per_voxel(self, logits: Tensor, padded: Tensor) -> Tensor:
        """-sum_k tau_k log p_k."""
        return -(self.soft_labels(padded, logits.shape[1]) * logits.log_softmax(dim=1)).sum(dim=1)

    def soft_labels(self, padded: Tensor, num_classes: int) -> Tensor:
        """tau, (B, C, H, W[, D]), of padded labels, as `per_voxel` takes them."""
        complete = self.ignore_index is None
        return window_prior(padded, num_classes, "gaussian", self.kernel_size, self.sigma, complete=complete)
