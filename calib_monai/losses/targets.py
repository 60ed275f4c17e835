"""What a target must be before a loss may use it."""

from __future__ import annotations

import torch
from torch import Tensor


def class_indices(logits: Tensor, target: Tensor, ignore_index: int | None = None) -> Tensor:
    """The target in the smallest integer type that holds it, (B, 1, H, W[, D]).

    Args:
        logits: (B, C, H, W[, D]).
        target: class indices 0..C-1, (B, 1, H, W[, D]), integer or float dtype.
        ignore_index: a label besides 0..C-1 that may occur.

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
        raise ValueError("logits have 1 channel; there must be one for each class, at least 2")
    bytes_do = num_classes <= 256 and (ignore_index is None or 0 <= ignore_index < 256)  # noqa: PLR2004
    labels = target.to(torch.uint8 if bytes_do else torch.int32)
    known = labels < num_classes if bytes_do else (labels >= 0) & (labels < num_classes)
    if ignore_index is not None:
        known |= labels == ignore_index
    if not (known & (labels == target)).all():
        also = "" if ignore_index is None else f" or {ignore_index}"
        raise ValueError(
            f"target holds labels from {target.amin().item():g} to {target.amax().item():g}; with {num_classes} "
            f"classes they must be whole numbers 0..{num_classes - 1}{also}"
        )
    return labels
