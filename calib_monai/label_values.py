"""Label values: gives those of other data the numbers of the classes of a model, and tells labels from images."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import inf
from typing import Any, cast

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import MapLabelValued
from numpy.typing import NDArray
from torch import Tensor

from calib_monai.composed import flattened
from calib_monai.processes import is_first_process
from calib_monai.spelling import first_of

MOST_EXACT = 2**24  # of whole numbers in float32
MOST_VALUES = 5  # of many values, in a message
MOST_CLASSES = 32  # an image with more values than that is not taken for a label
SAMPLED = 10_000  # voxels that are looked at first

logger = logging.getLogger(__name__)


def with_classes(label: MetaTensor, classes: Mapping[int, int], file: str) -> MetaTensor:
    """A label whose values became classes, in a new tensor of the same shape and type.

    Args:
        label: the values of a file, of any shape.
        classes: the class of each value that the file may hold.
        file: its path, for the message.

    Raises:
        ValueError: the label holds another value.
    """
    values = torch.unique(torch.as_tensor(label).as_subclass(Tensor)).tolist()
    wrong = [value for value in values if value not in classes]
    if wrong:
        raise ValueError(
            f"{file} holds the label value(s) {values_in_words(wrong)}; the labels of test_dir name "
            f"{', '.join(map(str, classes))}"
        )
    mapped = cast(MetaTensor, label.clone())  # type: ignore[no-untyped-call]
    for value in values:
        if classes[value] != value:
            mapped[label == value] = classes[value]
    return mapped


def values_in_words(values: Iterable[float]) -> str:
    """The first of the values of a label, each as short as it can be; NaN, which differs from itself, once.

    Labels are read as float32: of a value above 2^24 only about its size is known.

    Examples:
        >>> values_in_words([4.0, 0.5, float("nan"), float("nan")])
        '4, 0.5, nan'
    """
    return first_of(list(dict.fromkeys(map(_in_words, values))), MOST_VALUES)


def _in_words(value: float) -> str:
    """A value that was read as float32, as short as it can be."""
    about = "about " if MOST_EXACT < abs(value) < inf else ""
    return about + np.format_float_positional(value, trim="-")


def check_keeps_classes(loading: Callable[..., Any], num_classes: int, given: str) -> None:
    """Raise ValueError if the loading of a bundle would change the classes that labels have got before.

    Args:
        loading: transforms of a case.
        num_classes: classes are 0..num_classes - 1.
        given: the file that gives the classes, for the message.
    """
    if changes_classes(loading, num_classes):
        raise ValueError(
            f"{given} gives labels, and the loading of this bundle changes label values itself: write labels with the "
            "values of the bundle's data set, and leave out 'labels'"
        )


def changes_classes(loading: Callable[..., Any] | None, num_classes: int) -> bool:
    """Whether the loading of a bundle makes another class of one.

    Args:
        loading: transforms of a case.
        num_classes: classes are 0..num_classes - 1.
    """
    maps = [step.mapper for step in flattened(loading) if isinstance(step, MapLabelValued)]
    changed = [pair for one in maps for pair in zip(one.orig_labels, one.target_labels, strict=True)]
    return any(old < num_classes and old != new for old, new in changed)


def checked_values(label: Tensor, name: str, num_classes: int, ignore_index: int | None = None) -> NDArray[Any]:
    """The values of a label but the ignored one; raise ValueError if one is no class.

    Args:
        label: of any shape.
        name: of the label, for the message.
        num_classes: values must be 0..num_classes - 1.
        ignore_index: a label that is no class, or None.
    """
    values: NDArray[Any] = torch.unique(label).numpy()
    values = values[values != ignore_index] if ignore_index is not None else values
    wrong = [value for value in values if value not in range(num_classes)]
    if wrong:
        ignored = "" if ignore_index is None else f" or {ignore_index}"
        raise ValueError(
            f"{name} holds the label value(s) {values_in_words(wrong)}; with {num_classes} classes "
            f"they must be whole numbers 0..{num_classes - 1}{ignored}"
        )
    return values


def check_contents(
    image: Tensor, files: Sequence[str], name: str, num_classes: int, ignore_index: int | None = None
) -> None:
    """Raise ValueError if an image, or a channel that is a file of its own, has a single value or is a label.

    A warning tells an image of two values.

    Args:
        image: (C, H, W[, D]), finite.
        files: of the image; as many as there are channels if each is a file.
        name: of the image, for messages.
        num_classes: as in `check_no_label`.
        ignore_index: as in `check_no_label`.
    """
    parts = zip(files, torch.split(image, 1), strict=True) if len(files) == len(image) > 1 else [(name, image)]
    for told, part in parts:
        low, high = torch.aminmax(part)
        if low == high:
            raise ValueError(f"{told} holds one value only, {_in_words(low[None].numpy()[0])}, in all its voxels")
        check_no_label(part, told, num_classes, ignore_index)
        if is_first_process() and _is_so(partial(_are_among, (low, high)), part):
            values = ", ".join(_in_words(end[None].numpy()[0]) for end in (low, high))
            logger.warning("%s holds two values alone, %s, as a mask does: is it the image?", told, values)


def _are_among(two: tuple[Tensor, Tensor], values: Tensor) -> Tensor:
    """Whether all values are one of two."""
    return ((values == two[0]) | (values == two[1])).all()


def _is_so(rule: Callable[[Tensor], Tensor], image: Tensor) -> bool:
    """Whether a rule holds for the values of an image; most images tell by a few of their voxels, which come first."""
    values = image.flatten()
    return all(bool(rule(some)) for some in (values[:: max(1, len(values) // SAMPLED)], values))


def check_no_label(image: Tensor, name: str, num_classes: int, ignore_index: int | None = None) -> None:
    """Raise ValueError if an image looks like a label: it has only whole numbers from 0 to the last class.

    Args:
        image: (C, H, W[, D]), finite, of more than one value.
        name: of the image, for the message.
        num_classes: of the label that it may be.
        ignore_index: a label that is no class, or None.
    """
    highest = min(num_classes, MOST_CLASSES) - 1

    def is_label(values: Tensor) -> Tensor:
        kept = values if ignore_index is None else values[values != ignore_index]
        return ((kept >= 0) & (kept <= highest) & (kept == kept.round())).all()

    if _is_so(is_label, image):
        raise ValueError(
            f"{name} holds only whole numbers from 0 to {highest}, as a label does; needed is the image (if it is one, "
            "multiply its values by 10)"
        )
