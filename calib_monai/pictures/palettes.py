"""Palettes: refuses masks of one data set that number the same colors differently."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from PIL import Image

from calib_monai.pictures.decoding import SUFFIXES, decoded, is_gray

Color = tuple[int, ...]


def check_palettes(masks: Iterable[tuple[str, Mapping[Color, set[int]]]]) -> None:
    """Raise ValueError if a color is one class in a mask and another class in another mask.

    The indices of a palette of colors are the classes. A program that sorts the colors of a palette leaves the picture
    as it looks and exchanges the classes.

    Args:
        masks: each with what `colors_of` gives.
    """
    known: dict[Color, tuple[set[int], str]] = {}
    for file, colors in masks:
        for color, indices in colors.items():
            there, first = known.setdefault(color, (indices, file))
            if not there & indices:
                raise ValueError(
                    f"the color {', '.join(map(str, color))} is number {min(indices)} in the palette of {file} and "
                    f"number {min(there)} in that of {first}: nothing says which class it is; save all masks as PNG in "
                    "gray, of the values 0, 1, 2 ..."
                )


def colors_of(file: str) -> dict[Color, set[int]]:
    """The places in the palette of each color that a mask shows; empty without a palette of colors."""
    if not file.lower().endswith(SUFFIXES):
        return {}
    with Image.open(file) as image:
        has_palette = image.mode == "P"
    picture = decoded(file) if has_palette else None
    if picture is None or picture.indices is None or picture.palette is None or is_gray(picture.palette):
        return {}
    found: dict[Color, set[int]] = {}
    for index in np.unique(picture.indices).tolist():
        if index < len(picture.palette):
            found.setdefault(tuple(picture.palette[index].tolist()), set()).add(index)
    return found
