"""What predictions and labels must be before they are measured."""

from __future__ import annotations

import torch
from torch import Tensor

SUM_TOLERANCE = 1e-3


def class_map(y: Tensor, num_classes: int) -> Tensor:
    """Class indices (B, 1, H, W[, D]), int64, of a label that is one-hot (B, C, ...) or such a map.

    Raises:
        ValueError: a number of channels that is neither 1 nor C, or labels that are not 0..C-1.
    """
    if y.shape[1] == num_classes:
        return y.argmax(dim=1, keepdim=True)
    if y.shape[1] != 1:
        raise ValueError(f"y has {y.shape[1]} channels; it must have 1 (class indices) or {num_classes} (one-hot)")
    labels = y.long()
    low, high = y.amin().item(), y.amax().item()
    if low < 0 or high >= num_classes or not torch.equal(labels.to(y.dtype), y):
        raise ValueError(f"y holds labels from {low:g} to {high:g}; they must be whole numbers 0..{num_classes - 1}")
    return labels


def checked_one_hot(y_pred: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
    """Prediction and label, both one-hot (B, C, H, W[, D]).

    Read as masks, probabilities fill the image and class indices are all background: both give
    distances that look right and are not.

    Raises:
        ValueError: shapes that differ, or values that are not one-hot.
    """
    if y is None or y.shape != y_pred.shape:
        given = None if y is None else tuple(y.shape)
        raise ValueError(f"y_pred is {tuple(y_pred.shape)} and y is {given}; both must be one-hot of one shape")
    for name, values in (("y_pred", y_pred), ("y", y)):
        ones = values == 1
        if values.shape[1] == 1 or not ((ones | (values == 0)).all() and (ones.sum(dim=1) == 1).all()):
            raise ValueError(f"{name} is not one-hot: each voxel must hold a single 1 over at least 2 channels")
    return y_pred, y


def check_probs(probs: Tensor) -> None:
    """Nothing; raises ValueError for values that are no probabilities over axis 1.

    Logits, NaN, or probabilities after post-processing give a calibration error that looks right
    and is not.
    """
    if not torch.isfinite(probs).all():
        raise ValueError("y_pred holds NaN or infinite values; it must hold probabilities")
    low, high = probs.amin().item(), probs.amax().item()
    if low < 0 or high > 1 + SUM_TOLERANCE:
        raise ValueError(f"y_pred holds values from {low:g} to {high:g}; probabilities lie in 0..1 (apply softmax)")
    if (probs.sum(dim=1) - 1).abs().amax().item() > SUM_TOLERANCE:
        raise ValueError("the values of y_pred do not sum to 1 over the classes; it must hold probabilities")


def plain(tensor: Tensor) -> Tensor:
    """The same values without MONAI's meta data, whose bookkeeping costs more than the sums."""
    return tensor.as_subclass(Tensor)
