"""What a target must be before a loss may use it."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_monai.priors import label_dtype, no_class


def class_labels(logits: Tensor, target: Tensor, ignore_index: int | None = None) -> Tensor:
    """The target in the smallest integer type that holds it, (B, 1, H, W[, D]).

    Voxels whose label is `ignore_index` get `no_class`.

    Args:
        logits: (B, C, H, W[, D]).
        target: class indices 0..C-1, (B, 1, H, W[, D]), integer or float dtype.
        ignore_index: a label that is no class, whether it lies in 0..C-1 or not.

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
    ignored = target == ignore_index if ignore_index is not None and _holds(target.dtype, ignore_index) else None
    counted = target if ignored is None else target.masked_fill(ignored, 0)
    labels = counted.to(label_dtype(num_classes))
    whole = not counted.is_floating_point() or labels.to(counted.dtype).equal(counted)
    low, high = (extreme.item() for extreme in counted.aminmax())
    if not (whole and low >= 0 and high < num_classes):
        also = "" if ignore_index is None else f" or {ignore_index}"
        raise ValueError(
            f"target holds labels from {low:g} to {high:g}; with {num_classes} "
            f"classes they must be whole numbers 0..{num_classes - 1}{also}"
        )
    return labels if ignored is None else labels.masked_fill(ignored, no_class(labels.dtype))


def _holds(dtype: torch.dtype, label: int) -> bool:
    """Whether a map of this type can hold the label; comparing with one it cannot hold finds others."""
    return dtype.is_floating_point or torch.iinfo(dtype).min <= label <= torch.iinfo(dtype).max
