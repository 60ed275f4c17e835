"""What the losses share: cross-entropy at each voxel plus a weighed penalty, averaged over the voxels."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from calib_monai.losses.pieces import mean_over_voxels
from calib_monai.losses.targets import class_indices
from calib_monai.priors import inner, pad_labels

PENALTIES = ("linear", "quadratic")


class VoxelwiseLoss(nn.Module):
    """A mean over voxels of what `voxel_losses` says of each.

    Args:
        ignore_index: label of voxels that are left out of every term and every neighborhood.
    """

    radius = 0  # voxels around a voxel whose labels its loss depends on
    border = "replicate"

    def __init__(self, ignore_index: int | None = None) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    @abstractmethod
    def voxel_losses(self, logits: Tensor, log_probs: Tensor, padded: Tensor) -> Tensor:
        """Loss of each voxel, (B, H, W[, D]), written plainly; of an ignored voxel it is not used.

        Args:
            logits: (B, C, H, W[, D]), float32 or float64.
            log_probs: their log-softmax, (B, C, H, W[, D]).
            padded: class indices with `radius` more voxels on every side, (B, 1, ...).
        """

    @torch.compiler.disable  # type: ignore[untyped-decorator] # its gradient is its own
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss, a scalar.

        Args:
            logits: (B, C, H, W[, D]), any float dtype.
            target: class indices, (B, 1, H, W[, D]), integer or float dtype.

        Raises:
            ValueError: shapes that do not fit, or a label outside 0..C-1.
        """
        labels = class_indices(logits, target, self.ignore_index)
        padded = pad_labels(labels, self.radius, self.border) if self.radius else labels
        return mean_over_voxels(self.voxel_losses, logits, padded, self.radius, self.ignore_index)

    def cross_entropy(self, log_probs: Tensor, padded: Tensor) -> Tensor:
        """-log p_y of each voxel, (B, H, W[, D])."""
        labels = inner(padded, self.radius).long()
        if self.ignore_index is not None:
            labels = labels.masked_fill(labels == self.ignore_index, 0)
        return -log_probs.gather(1, labels).squeeze(1)


def checked_weight(penalty_weight: float) -> float:
    """The weight; raises ValueError where it is negative or not a number."""
    if not penalty_weight >= 0:
        raise ValueError(f"penalty_weight is {penalty_weight}; it must not be negative")
    return penalty_weight


def checked_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """The value; raises ValueError where it is none of the choices."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; it must be one of {choices}")
    return value


def shaped(distance: Tensor, penalty: str) -> Tensor:
    """A distance that is not negative, as it is ("linear") or squared ("quadratic")."""
    return distance if penalty == "linear" else distance.square()
