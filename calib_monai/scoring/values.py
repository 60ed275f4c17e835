"""Values: makes probabilities of what a file holds, or says why they are none."""

from __future__ import annotations

from math import inf

import numpy as np
import torch
from torch import Tensor

from calib_monai.scoring.arrays import Stored

SUM_TOLERANCE = 1e-3  # as of the metrics
SUMS_OF_WHOLES = "255 or 65535, for they are whole numbers"
OTHER_SCALES = {255.0: (90, 101), 65535.0: (0, 10_001)}  # highest values that tell of percent, bytes and the like
FULL = (255.0, 65535.0)  # what the classes of a voxel sum to, in files of whole numbers
CUT = 0.05  # of that, by which cutting and rounding may change it, and a step for each class
OVERSHOT = 0.2  # by which a spline may leave 0..1
PERCENT = 100
HALF = 2  # bytes of half precision, whose rounding shows in sums
A_SEGMENTATION = "holds only 0 and 1: a segmentation; needed are probabilities, before the argmax"


def to_probs(name: str, values: Tensor, stored: Stored, *, foreground: bool) -> None:
    """Make probabilities of what a file holds, in place.

    Whole numbers are divided by what they sum to, and rounding is made up for. Values of single precision stay as they
    are. A voxel in which nnU-Net gave every class 0 lies outside of what it predicted, and becomes background.

    Args:
        name: of the file.
        values: as they were stored, (C, X, Y, Z), float32.
        stored: says of which type they were.
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
    if stored.dtype.kind in "iub" and not stored.is_scaled and high <= 1:
        raise ValueError(f"{name} {A_SEGMENTATION}")
    total = given.sum(dim=0)
    whole, step = _scale(total, stored, len(given), foreground=foreground)
    if step == 1:
        raise ValueError(_of_no_scale(name, total) if foreground else _of_sums(name, len(given), total, SUMS_OF_WHOLES))
    if whole != 1:
        given /= whole
        total /= whole
    tolerance = SUM_TOLERANCE + len(values) * step  # others cut where they should round
    if foreground:
        _add_background(name, values, total, tolerance)
    elif stored.key:
        _fill_outside(values, total)
    if any(((plane - 1).abs_() > tolerance).any() for plane in total):
        raise ValueError(_of_sums(name, len(values), total, "1"))
    if step:
        values /= total
    if is_hard(values):
        raise ValueError(f"{name} {A_SEGMENTATION}")


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


def check_logits(name: str, values: Tensor, *, foreground: bool) -> None:
    """Raise ValueError if a value is NaN or infinite, or if what should be logits are probabilities.

    Args:
        name: of the file.
        values: as they were stored, (C, X, Y, Z).
        foreground: whether `values[0]` is of the background, which the file lacks.
    """
    given = values[int(foreground) :]
    low, high = finite_range(name, given)
    if low < 0 or high == 0:
        return
    if foreground and high <= 1:
        raise ValueError(f"{name} holds values from {low:.6g} to {high:.6g}: probabilities; leave out --logits")
    least, most = (extreme.item() for extreme in given.sum(dim=0).aminmax())
    rounded = len(given) if most > HALF else 0  # of whole numbers, a step each
    if not foreground and most - least <= SUM_TOLERANCE * most + rounded:
        raise ValueError(
            f"{name} holds no value below 0, and its {len(given)} channels sum to {most:.4g} in each voxel: "
            "probabilities; leave out --logits"
        )


def softmax_in_place(logits: Tensor) -> None:
    """Overwrite logits, (C, X, ...), by their softmax, piece by piece: all at once would take their memory again."""
    for piece in logits.unbind(1):
        piece.copy_(piece.softmax(dim=0))


def check_soft(name: str, probs: Tensor) -> None:
    """Raise ValueError if probabilities that were made of logits are only 0 and 1."""
    if is_hard(probs):
        raise ValueError(
            f"{name} holds logits whose softmax is only 0 and 1; needed are those of a network, before any argmax or "
            "scaling"
        )


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


def _scale(total: Tensor, stored: Stored, channels: int, *, foreground: bool) -> tuple[float, float]:
    """What the classes of a voxel sum to, and the step of a value when they sum to 1.

    The step is 0 in single precision, and 1 for whole numbers of which nothing tells the sum.
    """
    if stored.is_scaled:
        return 1.0, stored.slope
    if stored.dtype.kind not in "iu":
        return 1.0, float(np.finfo(stored.dtype).eps) if stored.dtype.itemsize <= HALF else 0.0
    if foreground:  # nothing tells the sum
        whole = float(np.iinfo(stored.dtype).max)
        low, high = OTHER_SCALES.get(whole, (0, inf))
        if low <= total.max().item() <= high:
            return 1.0, 1.0
    else:
        middle = total.flatten()[:: max(1, total.numel() // 10_000)].median().item()
        whole = min(FULL, key=lambda full: abs(full - middle))
        if abs(whole - middle) > CUT * whole + channels:
            return 1.0, 1.0
    return whole, 1 / whole


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


def _fill_outside(values: Tensor, total: Tensor) -> None:
    """Make background of the voxels in which all classes are 0, if some are not."""
    nothing = total == 0
    if nothing.any() and not nothing.all():
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
    elif low < 1 < high <= channels:
        hint = " (regions that overlap are not measured here)"
    return (
        f"{name} has {channels} channel(s), whose sums lie between {low:.4g} and {high:.4g}; in each voxel they must "
        f"be {rule}{hint}"
    )


def is_hard(values: Tensor) -> bool:
    """Whether all values are 0 or 1; a few are tried first."""
    few = values.flatten()[:: max(1, values.numel() // 1000)]
    return all(bool(((part == 0) | (part == 1)).all()) for part in (few, *values))
