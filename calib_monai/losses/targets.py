"""What a target must be before a loss may use it."""

from __future__ import annotations

import torch
from torch import Tensor


def class_indices(logits: Tensor, target: Tensor) -> Tensor:
    """The target as PyTorch's cross-entropy wants it: (B, H, W[, D]), int64.

    Args:
        logits: (B, C, H, W[, D]).
        target: class indices 0..C-1, (B, 1, H, W[, D]), integer or float dtype.

    Raises:
        ValueError: shapes that do not fit, fewer than two classes, or a label outside 0..C-1.
    """
    num_classes = logits.shape[1]
    expected = (logits.shape[0], 1, *logits.shape[2:])
    if logits.ndim not in (4, 5) or tuple(target.shape) != expected:
        raise ValueError(
            f"logits are {tuple(logits.shape)} and target is {tuple(target.shape)}; "
            "they must be (B, C, H, W[, D]) and (B, 1, H, W[, D])"
        )
    if num_classes == 1:
        raise ValueError(f"logits have {num_classes} channel; there must be one for each class, at least 2")
    if target.is_floating_point() and not torch.equal(target, target.round()):
        raise ValueError("target holds values that are not whole numbers; it must hold class indices")
    labels = target.squeeze(1).long()
    low, high = labels.amin().item(), labels.amax().item()
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"target holds labels {low}..{high}; with {num_classes} classes they must be 0..{num_classes - 1}"
        )
    return labels
