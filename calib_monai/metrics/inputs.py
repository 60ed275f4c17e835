"""What predictions and labels must be before they are measured."""

from __future__ import annotations

import torch
from torch import Tensor

SUM_TOLERANCE = 1e-3


def class_map(y: Tensor, num_classes: int) -> Tensor:
    """Class indices (B, 1, H, W[, D]), int64, of a label that is one-hot (B, C, ...) or such a map.

    Raises:
        ValueError: a number of channels that is neither 1 nor C.
    """
    if y.shape[1] == num_classes:
        return y.argmax(dim=1, keepdim=True)
    if y.shape[1] == 1:
        return y.long()
    raise ValueError(f"y has {y.shape[1]} channels; it must have 1 (class indices) or {num_classes} (one-hot)")


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
