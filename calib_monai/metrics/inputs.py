"""Checks of predictions and labels before they are measured."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from calib_monai.arguments import plain_values
from calib_monai.labels import label_dtype
from calib_monai.metrics.class_indices import checked_indices, indices_of_usual_type, may_hold
from calib_monai.metrics.masks import check_not_empty, checked_masks
from calib_monai.regions import Region, region_voxels

SUM_TOLERANCE = 1e-3  # how far from 1 probabilities may sum
HALF_BYTES = 2  # of half precision
PIECE = 2**20  # voxels that are measured at a time


def check_lists(y_pred: Any, y: Any) -> None:
    """Raise ValueError if a list has no image, or two lists differ in length; MONAI would cut them to the shorter."""
    if isinstance(y_pred, list | tuple) and not y_pred:
        raise ValueError("y_pred is an empty list; it must hold at least one image")
    if any(isinstance(given, list | tuple) for given in (y_pred, y)) and y is not None and len(y_pred) != len(y):
        raise ValueError(f"y_pred has {len(y_pred)} images and y has {len(y)}; each image must have its label")


ProbsAndLabels = tuple[Tensor, Tensor, Tensor | None]


def probs_and_labels(y_pred: Tensor, y: Tensor | None, ignore_index: int | None = None) -> ProbsAndLabels:
    """Probabilities (B, C, H, W[, D]), class indices (B, 1, H, W[, D]) and a mask of ignored voxels, without meta data.

    The mask is (B, 1, H, W[, D]), bool, or None if no voxel is ignored. The class index of an ignored voxel is 0.

    Args:
        y_pred: probabilities, (B, C, H, W[, D]).
        y: class indices (B, 1, H, W[, D]) or one-hot (B, C, H, W[, D]).
        ignore_index: the label of ignored voxels.

    Raises:
        ValueError: shapes that do not fit, an integer type of `y_pred`, or labels outside the classes.
    """
    if y is None or (len(y), *y.shape[2:]) != (len(y_pred), *y_pred.shape[2:]):
        given = None if y is None else tuple(y.shape)
        raise ValueError(f"y_pred is {tuple(y_pred.shape)} and y is {given}; only their channels (axis 1) may differ")
    if y_pred.shape[1] == 1:
        raise ValueError("y_pred has 1 channel; it must have the probability of each class, the background too")
    if not y_pred.is_floating_point() or y_pred.element_size() < HALF_BYTES:
        raise ValueError(f"y_pred is {y_pred.dtype}; it must hold probabilities, a float type of at least 16 bits")
    check_not_empty(y_pred)
    return plain(y_pred), *labels_and_ignored(plain(y), y_pred.shape[1], ignore_index)


def pieces_of(image: Tensor) -> Iterator[tuple[slice, slice]]:
    """Where an image (C, H, W[, D]) is cut into pieces along H: all at once, it would take its memory several times."""
    step = max(1, PIECE // image[0, 0].numel())
    for start in range(0, image.shape[1], step):
        yield slice(None), slice(start, start + step)


def measured_voxels(
    region: Region, probs: Tensor, labels: Tensor, ignored: Tensor | None = None, whole: Tensor | None = None
) -> list[tuple[Tensor, Tensor]]:
    """For each image the probabilities (C, N) and labels (N,) of the N voxels of a region.

    Args:
        region: the voxels looked at.
        probs: probabilities, (B, C, H, W[, D]).
        labels: class indices, (B, 1, H, W[, D]).
        ignored: voxels that are in no region, (B, 1, H, W[, D]), bool.
        whole: the images of which these are pieces, (B, C, H, W[, D]); by default they are whole.

    Raises:
        ValueError: values that are no probabilities.
    """
    voxels = region_voxels(region, labels, probs, ignored)
    for image, all_of_it, (selected, _) in zip(probs, probs if whole is None else whole, voxels, strict=True):
        check_probs(selected, image, all_of_it)
    return voxels


def labels_and_ignored(y: Tensor, num_classes: int, ignore_index: int | None) -> tuple[Tensor, Tensor | None]:
    """Class indices from `class_map`, 0 in ignored voxels, and a bool mask of these voxels; None if there are none.

    Raises:
        ValueError: as `class_map`.
    """
    if ignore_index is None:
        return class_map(y, num_classes), None
    y = class_map(y, num_classes) if y.shape[1] == num_classes else indices_of_usual_type("y", y)
    if not may_hold(y, ignore_index):  # a byte that is compared with a number it cannot hold may equal it
        return class_map(y, num_classes), None
    ignored = y == ignore_index
    if not ignored.any():
        return class_map(y, num_classes), None
    return class_map(y.masked_fill(ignored, 0), num_classes), ignored


def class_map(y: Tensor, num_classes: int) -> Tensor:
    """Class indices (B, 1, H, W[, D]), in the smallest type, from a one-hot label (B, C, ...) or class indices.

    Raises:
        ValueError: a number of channels that is neither 1 nor C, or values that are not one-hot or 0..C-1.
    """
    if y.shape[1] == num_classes:
        return class_of_one(y)
    if y.shape[1] != 1:
        raise ValueError(f"y has {y.shape[1]} channels; it must have 1 (class indices) or {num_classes} (one-hot)")
    return checked_indices("y", y, num_classes)


def class_of_one(y: Tensor) -> Tensor:
    """The class that is 1 in a one-hot label, (B, 1, ...), in the smallest type; an argmax would take much longer.

    Raises:
        ValueError: a voxel that is not 1 in a single channel and 0 in the others.
    """
    masks = torch.from_numpy(checked_masks("y", y, overlapping=False))
    labels = torch.zeros_like(masks[:, :1], dtype=label_dtype(masks.shape[1]))
    for k in range(1, masks.shape[1]):
        labels.masked_fill_(masks[:, k : k + 1], k)
    return labels.to(y.device)


def check_probs(voxels: Tensor, image: Tensor, whole: Tensor | None = None) -> None:
    """Raise ValueError if values are not probabilities over axis 0.

    Logits, NaN, hard labels, or probabilities after post-processing would give a wrong calibration error that looks
    right. Only measured voxels are checked, because a pass over a whole volume takes longer than all other work. If no
    voxel is measured, the whole image is checked.

    Args:
        voxels: the measured voxels of an image, (C, N).
        image: the image, (C, H, W[, D]), or a piece of it.
        whole: the image that it is a piece of; by default it is whole.
    """
    check_distribution("y_pred", voxels if voxels.numel() else image)
    if voxels.numel() == 0:
        return
    # In a small region all values of a confident network may be 0 or 1; in a whole image this hardly happens.
    whole = image if whole is None else whole
    if whole.shape[1:].numel() > 1 and is_hard(voxels) and is_hard(whole):
        raise ValueError("y_pred holds only 0 and 1: hard labels; it must hold probabilities (before argmax)")


def check_in_pieces(probs: Tensor) -> None:
    """Raise ValueError if an image (C, ...) does not hold probabilities over axis 0; piece by piece, to save memory."""
    if probs.numel():
        for place in pieces_of(probs):
            check_distribution("probs", probs[place])


def checked_cases(
    probs: Tensor, labels: Tensor, ignored: Tensor | None = None, patients: Sequence[Hashable] = ()
) -> Iterator[tuple[Hashable, Tensor, Tensor]]:
    """For each case its patient, the probabilities (C, N) and the class indices (N,) of its N voxels that count.

    A case without such a voxel says nothing, and is left out.

    Args:
        probs: probabilities, (B, C, H, W[, D]).
        labels: class indices, (B, 1, H, W[, D]).
        ignored: voxels that do not count, whatever their label, (B, 1, H, W[, D]), bool.
        patients: the patient of each case, B, names or numbers; without them each case is a patient.

    Raises:
        ValueError: values that are no probabilities, labels that are no classes, or another number of patients.
    """
    patients = plain_values(patients)
    if patients and len(patients) != len(probs):
        raise ValueError(f"there are {len(patients)} patients for {len(probs)} case(s); each case needs its own entry")
    of_each = patients or [object() for _ in probs]
    for patient, (voxels, of_case) in zip(of_each, region_voxels("all", labels, probs, ignored), strict=True):
        if of_case.numel():
            check_in_pieces(voxels)
            yield patient, voxels, checked_indices("labels", of_case, len(voxels))


def check_distribution(name: str, values: Tensor) -> None:
    """Raise ValueError if values (C, ...), at least one, lie outside 0..1 or do not sum to 1 over axis 0."""
    low, high = (extreme.item() for extreme in values.aminmax())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{name} holds NaN or infinite values; it must hold probabilities")
    tolerance = SUM_TOLERANCE + torch.finfo(values.dtype).eps
    if low < 0 or high > 1 + tolerance:
        shown = f"{low:.17g} to {high:.17g}"
        raise ValueError(f"{name} holds values from {shown}; probabilities lie in 0..1 (apply softmax)")
    if values.sum(dim=0, dtype=torch.float32).sub_(1).abs_().amax().item() > tolerance:
        raise ValueError(f"the values of {name} do not sum to 1 over the classes; it must hold probabilities")


def is_hard(probs: Tensor) -> bool:
    """Whether all values are 0 or 1; a few are tried first, and then the first axis part by part."""
    few = probs.flatten()[:: max(1, probs.numel() // 1000)]
    return all(bool(((values == 0) | (values == 1)).all()) for values in (few, *probs))


def plain(tensor: Tensor) -> Tensor:
    """The tensor without MONAI's meta data, whose bookkeeping costs more time than the sums."""
    return tensor.as_subclass(Tensor)
