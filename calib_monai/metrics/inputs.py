"""What predictions and labels must be before they are measured."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from calib_monai.metrics.masks import checked_indices, class_of_one
from calib_monai.regions import Region, region_voxels

SUM_TOLERANCE = 1e-3


def check_lists(y_pred: Any, y: Any) -> None:
    """Raise ValueError for lists that are not of one length, which MONAI would cut to the shorter."""
    if any(isinstance(given, list | tuple) for given in (y_pred, y)) and y is not None and len(y_pred) != len(y):
        raise ValueError(f"y_pred has {len(y_pred)} images and y has {len(y)}; each image must have its label")


Given = tuple[Tensor, Tensor, Tensor | None]


def probs_and_labels(y_pred: Tensor, y: Tensor | None, ignore_index: int | None = None) -> Given:
    """Probabilities (B, C, H, W[, D]), class indices (B, 1, H, W[, D]) and what is ignored, without meta data.

    Ignored is (B, 1, H, W[, D]), bool, or None where no voxel is; there the class index is 0.

    Args:
        y_pred: probabilities, (B, C, H, W[, D]).
        y: class indices (B, 1, H, W[, D]) or one-hot (B, C, H, W[, D]).
        ignore_index: a class index that is no class.

    Raises:
        ValueError: shapes that do not fit, a type that holds no probabilities, or labels that are none.
    """
    if y is None or (len(y), *y.shape[2:]) != (len(y_pred), *y_pred.shape[2:]):
        given = None if y is None else tuple(y.shape)
        raise ValueError(f"y_pred is {tuple(y_pred.shape)} and y is {given}; only their channels (axis 1) may differ")
    if y_pred.shape[1] == 1:
        raise ValueError("y_pred has 1 channel; it must have the probability of each class, the background too")
    if not y_pred.is_floating_point():
        raise ValueError(f"y_pred is {y_pred.dtype}; it must hold probabilities, a float type")
    return plain(y_pred), *labels_and_ignored(plain(y), y_pred.shape[1], ignore_index)


def measured_voxels(
    region: Region, probs: Tensor, labels: Tensor, ignored: Tensor | None = None
) -> list[tuple[Tensor, Tensor]]:
    """For each image the probabilities (C, N) and labels (N,) of the N voxels of a region.

    Args:
        region: the voxels looked at.
        probs: probabilities, (B, C, H, W[, D]).
        labels: class indices, (B, 1, H, W[, D]).
        ignored: voxels that are in no region, (B, 1, H, W[, D]), bool.

    Raises:
        ValueError: values that are no probabilities.
    """
    voxels = region_voxels(region, labels, probs, ignored)
    for image, (selected, _) in zip(probs, voxels, strict=True):
        check_probs(selected, image)
    return voxels


def labels_and_ignored(y: Tensor, num_classes: int, ignore_index: int | None) -> tuple[Tensor, Tensor | None]:
    """Class indices as of `class_map`, 0 where a voxel is ignored, and where that is, bool; None where it is nowhere.

    Raises:
        ValueError: as `class_map`.
    """
    if ignore_index is None or y.shape[1] != 1:
        return class_map(y, num_classes), None
    # A byte that is compared with a number it cannot hold may equal it.
    ignored = (y if y.is_floating_point() else y.long()) == ignore_index
    if not ignored.any():
        return class_map(y, num_classes), None
    return class_map(y.masked_fill(ignored, 0), num_classes), ignored


def class_map(y: Tensor, num_classes: int) -> Tensor:
    """Class indices (B, 1, H, W[, D]), in the smallest type, of a label one-hot (B, C, ...) or such a map.

    Raises:
        ValueError: a number of channels that is neither 1 nor C, or values that are not one-hot or 0..C-1.
    """
    if y.shape[1] == num_classes:
        return class_of_one("y", y)
    if y.shape[1] != 1:
        raise ValueError(f"y has {y.shape[1]} channels; it must have 1 (class indices) or {num_classes} (one-hot)")
    return checked_indices("y", y, num_classes)


def check_probs(voxels: Tensor, image: Tensor) -> None:
    """Raise ValueError for values that are no probabilities over axis 0.

    Logits, NaN, hard labels, or probabilities after post-processing give a calibration error that looks
    right and is not. Looked at is what is measured, and where nothing is, the whole image: a pass over a
    volume takes longer than all the rest.

    Args:
        voxels: what is measured of an image, (C, N).
        image: all of it, (C, H, W[, D]).
    """
    low, high = (extreme.item() for extreme in (voxels if voxels.numel() else image).aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("y_pred holds NaN or infinite values; it must hold probabilities")
    tolerance = SUM_TOLERANCE + torch.finfo(image.dtype).eps
    if low < 0 or high > 1 + tolerance:
        shown = f"{low:.17g} to {high:.17g}"
        raise ValueError(f"y_pred holds values from {shown}; probabilities lie in 0..1 (apply softmax)")
    if voxels.numel() == 0:
        return
    if (voxels.sum(dim=0, dtype=torch.float32) - 1).abs_().amax().item() > tolerance:
        raise ValueError("the values of y_pred do not sum to 1 over the classes; it must hold probabilities")
    # Those of a confident network may all be 0 or 1 in a small region, in a whole image hardly.
    if image.shape[1:].numel() > 1 and _all_hard(voxels) and _all_hard(image):
        raise ValueError("y_pred holds only 0 and 1: hard labels; it must hold probabilities (before argmax)")


def _all_hard(probs: Tensor) -> bool:
    """Whether each value is 0 or 1; a few places are looked at first."""
    few = probs.flatten()[:: max(1, probs.numel() // 1000)]
    return all(bool(((values == 0) | (values == 1)).all()) for values in (few, probs))


def plain(tensor: Tensor) -> Tensor:
    """The same values without MONAI's meta data, whose bookkeeping costs more than the sums."""
    return tensor.as_subclass(Tensor)
