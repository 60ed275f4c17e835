"""Labels: the most probable class of each voxel."""

from __future__ import annotations

import torch
from torch import Tensor


def most_probable(probs: Tensor, dtype: torch.dtype = torch.uint8) -> tuple[Tensor, Tensor]:
    """The most probable class of each voxel (the first of equal ones) and its value, each (...).

    `argmax` gives the same class. On a CPU it takes ten times as long, and `max` takes three times as long.

    Args:
        probs: probabilities or logits, (C, ...).
        dtype: of the classes.
    """
    highest, label = probs[0], torch.zeros_like(probs[0], dtype=dtype)
    for k in range(1, len(probs)):
        higher = (probs[k] > highest).to(dtype)
        label.addcmul_(higher, k - label)
        highest = torch.maximum(highest, probs[k])
    return label, highest
