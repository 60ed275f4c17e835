"""Values: makes probabilities of what a file holds, or says why they are none."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from math import inf

import numpy as np
import torch
from torch import Tensor

from calib_monai.metrics.inputs import SUM_TOLERANCE, is_hard
from calib_monai.metrics.masks import bounding_box
from calib_monai.scoring.arrays import StoredArray
from calib_monai.scoring.logarithms import check_logarithms
from calib_monai.scoring.variety import check_varied

SUMS_OF_WHOLES = "255 or 65535, for they are whole numbers"
OTHER_SCALES = {255.0: (90, 101), 65535.0: (0, 10_001)}  # highest values that tell of percent, bytes and the like
FULL = (255.0, 65535.0)  # what the classes of a voxel sum to, in files of whole numbers
CUT = 0.05  # of that, by which cutting and rounding may change it, and a step for each class
OVERSHOT = 0.2  # by which a spline may leave 0..1
PERCENT = 100  # parts of 1 that are the coarsest: with a larger step any sum would pass
FINE = 1e-6  # half of a step, by which a 0 can be raised without a change of the sums
LEAST = torch.finfo(torch.float32).tiny  # above 0, and by NLL the same
A_SEGMENTATION = "holds only 0 and 1: a segmentation; needed are probabilities, before the argmax"
OF_A_SEGMENTATION = (
    "holds logits whose softmax is only 0 and 1; needed are those of a network, before any argmax or scaling"
)

logger = logging.getLogger(__name__)


def to_probs(name: str, values: Tensor, stored: Sequence[StoredArray], *, foreground: bool) -> None:
    """Make probabilities of what a file holds, in place.

    Whole numbers are divided by what they sum to, and rounding is made up for. Values of single precision stay as they
    are. A voxel outside of nnU-Net's crop, in which it gave every class 0, becomes background.

    Args:
        name: of the file.
        values: as they were stored, (C, X, Y, Z), float32.
        stored: says of which type they were: the array, or one for each channel.
        foreground: whether the file lacks the background, which is what the others leave: `values[0]` is empty.

    Raises:
        ValueError: values that are no probabilities; the message has the file, the value and the rule.
    """
    given = values[int(foreground) :]
    low, high = finite_range(name, given)
    if low < 0:
        interpolated = low > -OVERSHOT and high < 1 + OVERSHOT
        hint = "(interpolated? cut them at 0, and divide by their sum)" if interpolated else "(give --logits?)"
        raise ValueError(f"{name} holds values from {low:.6g} to {high:.6g}; probabilities lie in 0..1 {hint}")
    if stored[0].is_whole and high <= 1 and not (foreground and high == 0):
        raise ValueError(f"{name} {A_SEGMENTATION}")
    total = given.sum(dim=0)
    whole = _whole(name, total, stored[0], len(given), foreground=foreground)
    if whole != 1:
        given /= whole
        total /= whole
    steps = sum(_step(one, whole) for one in stored) * (len(given) // len(stored))
    tolerance = SUM_TOLERANCE + steps  # others cut where they should round
    if foreground:
        _add_background(name, values, total, tolerance)
    elif stored[0].is_of_nnunet:
        _fill_outside(name, values, total)
    if any(((plane - 1).abs_() > tolerance).any() for plane in total):
        raise ValueError(_of_sums(name, len(values), total, "1"))
    if steps:
        values /= total
    _check_soft(name, values, A_SEGMENTATION)
    if LEAST < (least := least_stored(stored, foreground=foreground)) <= FINE:
        values.clamp_(min=least)


def least_stored(stored: Sequence[StoredArray], *, foreground: bool) -> float:
    """What a probability of 0 may have been before it was rounded: half of a step.

    Args:
        stored: the array, or one for each channel.
        foreground: whether the background is what the others leave: near 1 the steps of floating point are wider.
    """
    return max(one.half_step(1.0 if foreground else 0.0) for one in stored)


def finite_range(name: str, values: Tensor) -> tuple[float, float]:
    """The lowest and highest value.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    low, high = (extreme.item() for extreme in values.aminmax())
    if not np.isfinite([low, high]).all():
        bad = sum(int((~channel.isfinite()).sum()) for channel in values)
        raise ValueError(f"{name} holds {bad} value(s) that are NaN or infinite")
    return low, high


def check_logits(name: str, values: Tensor, stored: Sequence[StoredArray], *, foreground: bool) -> None:
    """Raise ValueError if a value is NaN or infinite, or if these are probabilities, or logarithms that are no logits.

    Channels that sum to the same in each voxel are probabilities, whatever their signs: a spline overshoots. Logits may
    be centered, with sums of 0; their values go far beyond any other sum that they have in common.

    Args:
        name: of the file.
        values: as they were stored, (C, X, Y, Z).
        stored: says of which type they were: the array, or one for each channel.
        foreground: whether `values[0]` is of the background, which the file lacks.
    """
    given = values[int(foreground) :]
    low, high = finite_range(name, given)
    if low == high == 0:
        return
    told = "no value below 0" if low >= 0 else f"values from {low:.6g} to {high:.6g}"
    if not foreground:
        total = given.sum(dim=0)
        most = total.max().item()
        least = total.masked_fill_(total == 0, most).min().item()  # outside of a crop
        step = max(most * _step(one, 1.0) if one.dtype.kind == "f" else abs(one.slope) for one in stored)
        room = SUM_TOLERANCE * most + min(len(given) * step, 2 * CUT * most)
        if most - least <= room and -most / 2 < low and high < most * 3 / 2:
            raise ValueError(
                f"{name} holds {told}, and its {len(given)} channels sum to {most:.4g} in each voxel: probabilities; "
                "leave out --logits"
            )
        check_logarithms(
            name, given, max(_step(one, 1.0) if one.dtype.kind == "f" else abs(one.slope) for one in stored)
        )
    overshot = OVERSHOT if foreground else 0  # one logit says nothing of its sum
    if (-overshot <= low and high <= 1 + overshot) or (foreground and 0 <= low <= high / PERCENT):
        raise ValueError(f"{name} holds values from {low:.6g} to {high:.6g}: probabilities; leave out --logits")


def softmax_in_place(logits: Tensor) -> None:
    """Overwrite logits, (C, X, ...), by their softmax, piece by piece: all at once would take their memory again."""
    for piece in logits.unbind(1):
        piece.copy_(piece.softmax(dim=0))


def accept_soft(name: str, probs: Tensor) -> None:
    """Refuse probabilities that were made of logits if they are those of a segmentation, or the same in all voxels.

    Args:
        name: of the file.
        probs: (C, ...); where nothing was predicted, each 0 becomes the least number.

    Raises:
        ValueError: they are.
    """
    _check_soft(name, probs, OF_A_SEGMENTATION)


def _check_soft(name: str, probs: Tensor, said: str) -> None:
    """Refuse probabilities that are only 0 and 1, unless nothing was predicted, or that are as `check_varied` says.

    Where nothing was predicted each 0 becomes the least number, which counts as 0 and which no metric takes for that of
    a hard label.
    """
    if not is_hard(probs):
        check_varied(name, probs)
    elif any(bool((part != 1).any()) for part in probs[0]):
        raise ValueError(f"{name} {said}")
    else:
        logger.warning("%s predicts nothing: the background has the probability 1 in each voxel", name)
        probs[1:] = LEAST


def reorder(values: Tensor, order: tuple[int, ...]) -> None:
    """Put channel `order[k]` at place k, in place: one channel is held besides."""
    moved: set[int] = set()
    for start in range(len(order)):
        if start in moved:
            continue
        place, first = start, values[start].clone()
        while order[place] != start:
            values[place] = values[order[place]]
            moved.add(place)
            place = order[place]
        values[place] = first
        moved.add(place)


def _whole(name: str, total: Tensor, stored: StoredArray, channels: int, *, foreground: bool) -> float:
    """What the classes of a voxel sum to; raise ValueError for whole numbers of which nothing tells it."""
    if not stored.is_whole:
        return 1.0
    if foreground:  # nothing tells the sum
        whole = float(np.iinfo(stored.dtype).max)
        low, high = OTHER_SCALES.get(whole, (0, inf))
        if low <= total.max().item() <= high:
            raise ValueError(_of_no_scale(name, total))
        return whole
    middle = total.flatten()[:: max(1, total.numel() // 10_000)].median().item()
    whole = min(FULL, key=lambda full: abs(full - middle))
    if abs(whole - middle) > CUT * whole + channels:
        raise ValueError(_of_sums(name, channels, total, SUMS_OF_WHOLES))
    return whole


def _step(stored: StoredArray, whole: float) -> float:
    """The step between two values near 1, which are stored as `whole` times that; 0 in single precision."""
    if stored.dtype.kind == "f":  # whatever the header says, the values have their own precision
        return float(np.finfo(stored.dtype).eps) if stored.is_coarse else 0.0
    return 1 / whole if stored.is_whole else min(abs(stored.slope), 1 / PERCENT)


def _add_background(name: str, values: Tensor, total: Tensor, tolerance: float) -> None:
    """Let the background be what the other classes leave; `total`, of all of them, becomes 1 where they fit."""
    if total.min() >= 1 - tolerance:
        raise ValueError(
            f"{name} has {len(values) - 1} channel(s) that sum to 1 in each voxel and leave nothing to the background: "
            "one of them is of the background, so leave out --foreground"
        )
    if total.max() > 1 + tolerance:
        raise ValueError(_of_sums(name, len(values) - 1, total, "at most 1, for the background is the rest"))
    torch.sub(1, total, out=values[0])
    values[0].clamp_(min=0)
    total.clamp_(min=1)


def _fill_outside(name: str, values: Tensor, total: Tensor) -> None:
    """Make background of the voxels in which all classes are 0, as outside of nnU-Net's crop, if some are not.

    Raises:
        ValueError: they lie among the others, and not outside of a box.
    """
    nothing = total == 0
    if not nothing.any() or nothing.all():
        return
    if holes := int(nothing[bounding_box(~nothing.numpy())].sum()):
        raise ValueError(
            f"{name} has {holes} voxel(s) among the others in which each class is 0; nnU-Net writes 0 only outside of "
            "its crop, which is a box, and elsewhere the classes must sum to 1"
        )
    values[0][nothing] = 1
    total[nothing] = 1


def _of_no_scale(name: str, total: Tensor) -> str:
    """The message of whole numbers of which nothing tells what stands for 1."""
    return (
        f"{name} holds whole numbers, whose sums are at most {total.max().item():g}, and nothing says which number "
        "stands for 1: write numbers from 0 to 1, or uint8 of which 255 stands for 1"
    )


def _of_sums(name: str, channels: int, total: Tensor, rule: str) -> str:
    """The message of values whose sums are no probability."""
    low, high = (extreme.item() for extreme in total.aminmax())
    hint = ""
    if PERCENT - channels <= high < PERCENT + 1:
        hint = " (in percent? divide them by 100)"
    elif low == 0 and abs(high - 1) <= SUM_TOLERANCE:
        hint = " (where nothing was predicted, give the background 1)"
    elif 1 < high <= channels:
        hint = " (regions that overlap are not measured here)"
    return (
        f"{name} has {channels} channel(s), whose sums lie between {low:.4g} and {high:.4g}; in each voxel they must "
        f"be {rule}{hint}"
    )
