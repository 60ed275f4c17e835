"""Losses that are a mean over voxels: each is the equation of one voxel."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod

from torch import Tensor, nn

from calib_monai.arguments import check_ignore_index
from calib_monai.losses.pieces import mean_over_voxels
from calib_monai.losses.targets import class_labels
from calib_monai.losses.uncompiled import uncompiled
from calib_monai.priors import inner, pad_labels

PENALTIES = ("linear", "quadratic")


class VoxelwiseLoss(nn.Module, ABC):
    """A mean over voxels. A new one writes `per_voxel`, and `radius` and `border` where it looks at neighbors.

    Args:
        ignore_index: label of voxels that are left out of the mean and of every neighborhood.

    Raises:
        ValueError: an `ignore_index` that is not a whole number.
    """

    radius = 0  # voxels around a voxel whose labels its loss depends on
    border = "replicate"

    def __init__(self, ignore_index: int | None = None) -> None:
        super().__init__()
        check_ignore_index(ignore_index)
        self.ignore_index = ignore_index

    @abstractmethod
    def per_voxel(self, logits: Tensor, padded: Tensor) -> Tensor:
        """The loss of each voxel, (B, H, W[, D]); that of an ignored voxel is not used.

        Args:
            logits: (B, C, H, W[, D]), float32 or float64.
            padded: labels with `radius` more voxels on every side, (B, 1, ...), as `class_labels` makes them.
        """

    @uncompiled  # its gradient is its own
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss, a scalar; 0 where every voxel is ignored.

        Args:
            logits: (B, C, H, W[, D]), any float dtype.
            target: class indices, (B, 1, H, W[, D]), integer or float dtype.

        Raises:
            ValueError: what `class_labels` refuses: shapes that do not fit, or a label outside 0..C-1. A loss with
                parameters of its own: only the logits get a gradient.
        """
        if any(parameter.requires_grad for parameter in self.parameters()):
            raise ValueError(f"{type(self).__name__} has parameters that are trained; they would get no gradient")
        return self.of_padded(logits, self.padded_labels(logits, target))

    def of_padded(self, logits: Tensor, padded: Tensor) -> Tensor:
        """The loss, a scalar, of logits as in `forward` and what `padded_labels` makes of the target."""
        return mean_over_voxels(self.per_voxel, logits.as_subclass(Tensor), padded, self.radius, self.ignore_index)

    def padded_labels(self, logits: Tensor, target: Tensor) -> Tensor:
        """The labels as `per_voxel` takes them, (B, 1, ...).

        Raises:
            ValueError: what `class_labels` refuses.
        """
        return pad_labels(class_labels(logits, target, self.ignore_index), self.radius, self.border)

    def extra_repr(self) -> str:
        """The arguments it was made with."""
        names = inspect.signature(type(self)).parameters
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names if hasattr(self, name))


def negative_log_likelihood(log_probs: Tensor, padded: Tensor) -> Tensor:
    """-log p_y of each voxel, (B, H, W[, D]), and any finite number where the voxel is ignored.

    Args:
        log_probs: log p, (B, C, H, W[, D]).
        padded: labels y with a margin, (B, 1, ...), as `class_labels` makes them.
    """
    labels = inner(padded, (padded.shape[2] - log_probs.shape[2]) // 2)
    return -log_probs.gather(1, labels.clamp(max=log_probs.shape[1] - 1).long()).squeeze(1)


def check_border(border: str, ignore_index: int | None) -> None:
    """Raise ValueError if the class that lies beyond the edge of the image is ignored."""
    if border == "background" and ignore_index == 0:
        raise ValueError("border is 'background' and ignore_index is 0, its class; use border 'replicate'")
