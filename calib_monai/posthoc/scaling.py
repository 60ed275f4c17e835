"""Logits divided by temperatures."""

from __future__ import annotations

import torch
from torch import Tensor

HIGHEST = 100.0  # no fitted temperature is above it
LOWEST = 1 / HIGHEST  # nor below it


def scaled(logits: Tensor, temperature: Tensor) -> Tensor:
    """Logits / temperature, (B, C, H, W[, D]), float64 if the logits are, else float32.

    Half precision would often round different logits to the same value, and so lose the most probable class.

    Args:
        logits: (B, C, H, W[, D]), any float dtype.
        temperature: positive, the same for all classes, in a shape that broadcasts with the logits.
    """
    wide = logits if logits.dtype == torch.float64 else logits.float()
    return wide / temperature.to(wide.dtype)
