"""Masks of predictions and labels: checks them, and crops each structure."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calib_monai.metrics.class_indices import checked_indices

Mask = NDArray[np.bool_]

PIECE = 2**16  # voxels that are compared at a time; they stay in the processor's cache
FLOAT32_BITS = 32


def structure_pairs(
    y_pred: Tensor,
    y: Tensor | None,
    *,
    overlapping: bool,
    include_background: bool = False,
    num_classes: int | None = None,
) -> list[list[tuple[Mask, Mask]]]:
    """For each image and class the masks of prediction and label, both cropped to the box that holds the two.

    Args:
        y_pred: prediction, one-hot or masks, (B, C, H, W[, D]); class indices, (B, 1, H, W[, D]), with `num_classes`,
            unless masks may overlap.
        y: label of that shape.
        overlapping: whether a voxel may belong to any number of channels; if not, it must belong to one.
        include_background: whether channel 0 is among the classes where it is the background.
        num_classes: C, where class indices are given.

    Returns:
        Pairs of masks of equal shape; they are empty if neither prediction nor label has the class.

    Raises:
        ValueError: shapes that differ, or values that are no masks.
    """
    first = 0 if include_background or overlapping else 1
    label = label_of(y_pred, y)
    if overlapping or num_classes is None or len(y_pred[0]) > 1:
        predicted, labeled = (
            checked_masks(name, values, overlapping=overlapping)[:, first:]
            for name, values in (("y_pred", y_pred), ("y", label))
        )
    else:
        maps = (
            checked_indices(name, values, num_classes).detach().cpu().numpy()
            for name, values in (("y_pred", y_pred), ("y", label))
        )
        return [
            [_cropped(*(image[0] == index for image in pair)) for index in range(first, num_classes)]
            for pair in zip(*maps, strict=True)
        ]
    return [[_cropped(*pair) for pair in zip(*image, strict=True)] for image in zip(predicted, labeled, strict=True)]


def check_not_empty(y_pred: Tensor) -> None:
    """Raise ValueError if a prediction has no image, no channel or no voxel."""
    if not y_pred.numel():
        raise ValueError(f"y_pred is {tuple(y_pred.shape)}; it must hold at least one voxel")


def label_of(y_pred: Tensor, y: Tensor | None) -> Tensor:
    """The label of a prediction.

    Raises:
        ValueError: there is no label, or its shape differs.
    """
    check_not_empty(y_pred)
    if y is None or y.shape != y_pred.shape:
        given = None if y is None else tuple(y.shape)
        raise ValueError(
            f"y_pred is {tuple(y_pred.shape)} and y is {given}; both must be one-hot or masks of one shape"
        )
    return y


def checked_masks(name: str, given: Tensor, *, overlapping: bool) -> Mask:
    """The channels as masks, (B, C, H, W[, D]).

    Probabilities and class indices are refused. Read as masks, the first would fill the image and the second would be
    background everywhere, and distances would be wrong but look right.

    Args:
        name: name of the tensor in messages.
        given: one-hot or masks, (B, C, H, W[, D]).
        overlapping: whether a voxel may belong to any number of channels; if not, it must belong to one.

    Raises:
        ValueError: values other than 0 and 1, or a voxel that belongs to several channels or none.
    """
    if given.shape[1] == 1 and not overlapping:
        raise ValueError(f"{name} is not one-hot: it has 1 channel and must have one for each class, at least 2")
    if given.is_floating_point() and torch.finfo(given.dtype).bits < FLOAT32_BITS:
        given = given.float()  # NumPy has no bfloat16 and compares float16 slowly
    values = given.detach().cpu().numpy()
    masks = np.empty(values.shape, dtype=np.bool_)
    for image, found in zip(values, masks, strict=True):
        channels, hits = image.reshape(len(image), -1), found.reshape(len(found), -1)
        for start in range(0, hits.shape[1], PIECE):
            piece = slice(start, start + PIECE)
            np.equal(channels[:, piece], 1, out=hits[:, piece])
            _check_piece(name, channels[:, piece], hits[:, piece], overlapping=overlapping)
    return masks


def _check_piece(name: str, values: NDArray[np.generic], hits: Mask, *, overlapping: bool) -> None:
    """Raise ValueError if values (C, N), of which `hits` are 1, are not all 0 or 1, or not one-hot if they must be."""
    if np.count_nonzero(values != 0) != np.count_nonzero(hits):
        raise ValueError(f"{name} is not one-hot, nor are its channels masks: it holds values other than 0 and 1")
    if not overlapping and not (np.count_nonzero(hits) == hits.shape[1] and hits.any(axis=0).all()):
        raise ValueError(
            f"{name} is not one-hot: each voxel must hold a single 1 over its {len(hits)} channels (masks that "
            "overlap can be measured by HD95, ASD and missed structures, with overlapping=True)"
        )


def bounding_box(mask: Mask) -> tuple[slice, ...]:
    """The range of a mask along each axis; slices of length 0 if it is empty."""
    box: tuple[slice, ...] = ()
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        there = np.flatnonzero(mask[box].any(axis=others))
        box += (slice(int(there[0]), int(there[-1]) + 1) if len(there) else slice(0),)
    return box


def _cropped(first: Mask, second: Mask) -> tuple[Mask, Mask]:
    """Both masks in the box that holds them, copied: a view would keep the whole of each in memory."""
    box = bounding_box(first | second)
    return first[box].copy(), second[box].copy()
