"""Targets: checked logits and class indices, as all losses use them."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_monai.labels import label_dtype, no_class
from calib_monai.tensor_checks import check_logits_and_target


def class_labels(logits: Tensor, target: Tensor, ignore_index: int | None = None) -> Tensor:
    """The target in the smallest integer type that holds it, (B, 1, H, W[, D]).

    Voxels whose label is `ignore_index` get `no_class`.

    Args:
        logits: (B, C, H, W[, D]), a float type.
        target: class indices 0..C-1, (B, 1, H, W[, D]), any type.
        ignore_index: a label that is no class, whether it lies in 0..C-1 or not.

    Raises:
        ValueError: logits or target are no tensor of real numbers, they lie on two devices, shapes do not fit, there
            are fewer than two classes, the batch is empty, logits are integers, or a label is outside 0..C-1.
    """
    check_logits_and_target(logits, target)
    target = target.as_subclass(Tensor)  # each operation on a subclass such as MONAI's MetaTensor is slow
    num_classes = logits.shape[1]
    if not target.is_floating_point() and target.dtype != torch.uint8:
        target = target.long()
    # A byte that is compared with a number it cannot hold may equal it.
    can_occur = target.dtype != torch.uint8 or ignore_index in range(256)
    ignored = target.eq(ignore_index) if ignore_index is not None and can_occur else None
    counted = target if ignored is None else target.masked_fill(ignored, 0)
    labels = counted.to(label_dtype(num_classes))
    found = list(counted.aminmax())
    if counted.is_floating_point():
        found.append(labels.to(counted.dtype).ne(counted).any().to(counted.dtype))
    low, high, *broken = torch.stack(found).tolist()  # at once: on a GPU each look waits for all before
    if any(broken) or not (low >= 0 and high < num_classes):
        fits = (counted >= 0) & (counted < num_classes) & (counted == labels)
        also = "" if ignore_index is None else f" or {ignore_index}"
        raise ValueError(
            f"target holds the label {counted[~fits][0].item():.17g}; with {num_classes} classes the labels must be "
            f"whole numbers 0..{num_classes - 1}{also}"
        )
    return labels if ignored is None else labels.masked_fill(ignored, no_class(labels.dtype))


def ignored_voxels(labels: Tensor) -> Tensor:
    """The mask of the voxels that labels from `class_labels` ignore, (B, 1, H, W[, D]), bool."""
    return labels == no_class(labels.dtype)
