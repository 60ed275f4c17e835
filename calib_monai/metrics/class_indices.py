"""Class indices: checks their values, and puts them into the smallest type that holds all classes."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_monai.labels import label_dtype

UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)  # PyTorch has few operations for them


def checked_indices(name: str, given: Tensor, num_classes: int) -> Tensor:
    """Class indices in the smallest type that holds all, (B, 1, H, W[, D]).

    Args:
        name: of the tensor in messages.
        given: class indices of any type, (B, 1, H, W[, D]).
        num_classes: they must be whole numbers below it, at least 0.

    Raises:
        ValueError: others.
    """
    given = indices_of_usual_type(name, given)
    labels = given.to(label_dtype(num_classes))
    whole = not given.is_floating_point() or labels.to(given.dtype).equal(given)
    low, high = (extreme.item() for extreme in given.aminmax())
    if not (whole and low >= 0 and high < num_classes):
        rule = f"whole numbers 0..{num_classes - 1}"
        raise ValueError(f"{name} holds labels from {low:.17g} to {high:.17g}; they must be {rule}")
    return labels


def indices_of_usual_type(name: str, given: Tensor) -> Tensor:
    """Class indices in a type for which PyTorch has all operations; raises ValueError for complex numbers."""
    if given.is_complex():
        raise ValueError(f"{name} is {given.dtype}; it must hold whole numbers")
    return given.long() if given.dtype in UNSIGNED else given


def may_hold(y: Tensor, number: int) -> bool:
    """Whether the type of a tensor has a number."""
    if y.is_floating_point():
        return True
    least, most = (0, 1) if y.dtype == torch.bool else (torch.iinfo(y.dtype).min, torch.iinfo(y.dtype).max)
    return least <= number <= most
