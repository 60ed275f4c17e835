"""Spatially varying label smoothing (SVLS)."""

from __future__ import annotations

from torch import Tensor

from calib_monai.losses.neighborhood import NeighborhoodLoss
from calib_monai.losses.voxelwise import finite


class SVLSLoss(NeighborhoodLoss):
    r"""Cross-entropy with labels that are smoothed where the neighborhood holds several classes.

    ```math
    L = -\frac{1}{N} \sum_i \sum_k \tau_{ik} \log p_{ik}
    ```

    with probabilities p, N voxels and tau the "gaussian" prior of `neighborhood_prior`, in which the
    voxel's own label weighs one half; SVLS (Islam and Glocker 2021, arXiv:2104.05788), Eq. 3.

    Args:
        kernel_size: side of the neighborhood in voxels, odd.
        sigma: standard deviation of the Gaussian in voxels, at least 0.3. It divides the neighbors' half between near
            and far ones.
        ignore_index: label of voxels that are left out of every term and every neighborhood.

    Raises:
        ValueError: an argument has a value that is not allowed here.
    """

    def __init__(self, kernel_size: int = 3, sigma: float = 2.0, ignore_index: int | None = None) -> None:
        super().__init__("gaussian", kernel_size, sigma, "replicate", ignore_index)

    def per_voxel(self, logits: Tensor, padded: Tensor) -> Tensor:
        """-sum_k tau_k log p_k."""
        return -(self.tau(padded, logits) * finite(logits.log_softmax(dim=1))).sum(dim=1)
