"""Neighborhood losses: voxel-wise losses that look at the classes around each voxel."""

from __future__ import annotations

from torch import Tensor

from calib_monai.losses.voxelwise import VoxelwiseLoss
from calib_monai.priors import check_prior, window_prior


class NeighborhoodLoss(VoxelwiseLoss):
    """A mean over voxels that depends on tau, the shares of the classes around each voxel.

    Args:
        prior: one of `calib_monai.priors.PRIORS`.
        kernel_size: side of the neighborhood in voxels, odd.
        sigma: standard deviation of the "gaussian" prior in voxels, at least 0.3.
        border: label beyond the edge of the image: "replicate", that of the nearest voxel, or "background", class 0.
        ignore_index: label of voxels that are left out of every term and every neighborhood.

    Raises:
        ValueError: an argument has a value that is not allowed here.
    """

    def __init__(self, prior: str, kernel_size: int, sigma: float, border: str, ignore_index: int | None) -> None:
        super().__init__()
        check_prior(prior, kernel_size, sigma, border)
        self.prior = prior
        self.kernel_size = kernel_size
        self.sigma = sigma
        self.border = border
        self.radius = kernel_size // 2
        self.leave_out(ignore_index)  # which needs the border

    def leave_out(self, ignore_index: int | None) -> None:
        """Leave out the voxels of this label, or none if it is None.

        Raises:
            ValueError: the label is not a whole number, or it is the class of the border.
        """
        if self.border == "background" and ignore_index == 0:
            raise ValueError("border is 'background' and ignore_index is 0, its class; use border 'replicate'")
        super().leave_out(ignore_index)

    def tau(self, padded: Tensor, logits: Tensor) -> Tensor:
        """The share of each class around each voxel, (B, C, H, W[, D]), of the logits' dtype.

        Args:
            padded: labels, as `per_voxel` takes them.
            logits: (B, C, H, W[, D]).
        """
        settings = logits.shape[1], self.prior, self.kernel_size, self.sigma
        return window_prior(padded, *settings, complete=self.ignore_index is None).to(logits)
