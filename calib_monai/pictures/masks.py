"""Masks: finds the structure in a mask, whichever two values it holds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib_monai.pictures.decoding import Picture, gray_values, is_gray

MOST_VALUES = 5  # of many values, in a message
NOISE = 64  # two values of a JPEG that are nearer than this are noise

Values = NDArray[Any]


def mask_values(file: str, picture: Picture, num_classes: int = 2, threshold: float = -1) -> NDArray[np.float32]:
    """The label of a mask, (H, W).

    With two classes a mask holds two values, and the pixels with the larger one are the structure. A mask that is black
    everywhere shows none. Colors count where one of the two is black, an alpha channel where it is not the same
    everywhere, a palette of colors by its indices. With more classes the gray values, or the indices of a palette of
    colors, are the classes.

    Args:
        file: of the mask, for messages.
        picture: what it holds.
        num_classes: background included.
        threshold: the structure is where the gray value and the alpha are above it, each if it is not the same
            everywhere; -1 where masks hold two values.

    Raises:
        ValueError: with the file, the values and the rule: more than two values, one that is not black, or two of
            which none is plainly the larger; an alpha that is above the threshold only where gray is not; or a TIFF
            that stores white as 0. With more classes: colors, a lossy file, a palette whose indices need not be the
            classes, or a threshold.
    """
    check_threshold(num_classes, threshold)
    if picture.white_is_0:
        raise ValueError(
            f"{file} stores white as 0 (PhotometricInterpretation 0), and nothing says which of its values was meant: "
            "save the mask with black as 0, in 8 bits"
        )
    if picture.values.dtype.kind == "f" and not np.isfinite(picture.values).all():
        raise ValueError(f"{file} holds pixels that are NaN or infinite; the values of a mask must be numbers")
    if num_classes > 2:  # noqa: PLR2004 - background and a structure
        return _classes(file, picture, num_classes)
    if threshold >= 0:
        return _above(file, picture, threshold)
    pixels = _pixels(picture)
    first = pixels[0, 0]
    others = (pixels != first).any(axis=-1)
    if not others.any():
        if picture.values.any():
            raise ValueError(
                f"{file} holds one value only, {_text_of(picture.values[0, 0])}, and nothing says whether that is "
                "structure or background: a mask without a structure must be 0 everywhere"
            )
        return np.zeros(others.shape, np.float32)
    second = pixels[others][0]
    if (others & (pixels != second).any(axis=-1)).any():
        raise ValueError(_too_many(file, pixels))
    low, high = sorted((first, second), key=tuple)
    _check_order(file, picture, pixels, low, high)
    return np.asarray((pixels == high).all(axis=-1), np.float32)


def check_threshold(num_classes: int, threshold: float) -> None:
    """Raise ValueError if a threshold is given for masks of more than two classes.

    Args:
        num_classes: background included.
        threshold: as in `mask_values`.
    """
    if num_classes > 2 and threshold >= 0:  # noqa: PLR2004 - background and a structure
        raise ValueError(
            f"mask_threshold is {threshold:g}, and there are {num_classes} classes; it finds one structure, and with "
            "more than two classes the gray values of a mask are the classes: leave it out"
        )


def _above(file: str, picture: Picture, threshold: float) -> NDArray[np.float32]:
    """Where gray value and alpha of a mask are above a threshold; one that is the same everywhere does not count."""
    gray = gray_values(picture.values.astype(np.float32))[..., 0]
    both = [gray] if picture.alpha is None else [gray, picture.alpha]
    above = [one > threshold for one in both if (one != one[0, 0]).any()] or [gray > threshold]
    structure = np.logical_and.reduce(above)
    if not structure.any() and all(one.any() for one in above):
        raise ValueError(
            f"{file} is transparent wherever its gray value is above {threshold:g}, and nothing says where the "
            "structure is: save the mask in gray, the structure lighter than the background"
        )
    return np.asarray(structure, np.float32)


def _pixels(picture: Picture) -> Values:
    """The values that distinguish the pixels of a mask, (H, W, 1 to 4)."""
    gray = is_gray(picture.values)
    if picture.indices is not None and not (gray and (picture.values != picture.values[0, 0]).any()):
        return picture.indices[..., None]
    values = picture.values[..., :1] if gray else picture.values
    alpha = picture.alpha
    return values if alpha is None or (alpha == alpha[0, 0]).all() else np.concatenate([values, alpha[..., None]], -1)


def _check_order(file: str, picture: Picture, pixels: Values, low: Values, high: Values) -> None:
    """Raise ValueError if none of the two values of a mask is plainly the larger."""
    if picture.lossy and np.subtract(high, low, dtype=int).max() < NOISE:
        raise ValueError(
            f"{_too_many(file, pixels)}; {_text_of(low)} and {_text_of(high)} are too near for a JPEG or a lossy WebP"
        )
    colors = [picture.values[(pixels == one).all(axis=-1)][0] for one in (low, high)]
    lighter = gray_values(np.array([colors], np.float32))[0, :, 0]
    same, black = (colors[0] == colors[1]).all(), not colors[0].any()
    plain = same or black or is_gray(np.array(colors)) or picture.indices is not None
    if not plain or lighter[0] > lighter[1] or not (low <= high).all():
        shown = map(_text_of, (low, high) if picture.indices is None else colors)
        raise ValueError(
            f"{file} holds {' and '.join(shown)}, and nothing says which of them is the structure: save the mask in "
            "gray, the structure lighter than the background"
        )


def _classes(file: str, picture: Picture, num_classes: int) -> NDArray[np.float32]:
    """The classes that a mask of several structures holds as values, (H, W)."""
    if picture.lossy:
        raise ValueError(
            f"{file} is a JPEG, or compressed like one, which changes values; with more than two classes the values of "
            "a mask are the classes: save masks as PNG"
        )
    indices, palette = picture.indices, picture.palette
    if indices is not None and palette is not None and (not is_gray(palette) or (indices.any() and not palette.any())):
        _check_palette(file, picture, palette, num_classes)
        return indices.astype(np.float32)
    if not is_gray(picture.values):
        raise ValueError(f"{file} holds colors; with more than two classes its gray values must be 0, 1, 2 ...")
    return picture.values[..., 0].astype(np.float32)


def _check_palette(file: str, picture: Picture, palette: Values, num_classes: int) -> None:
    """Raise ValueError if a program may have reordered the colors of a mask: its indices are not the classes then."""
    first_is_black = not palette[:1].any()
    if picture.format == "GIF":
        reason = "a GIF holds its colors in any order"
    elif len(palette) < num_classes:
        reason = f"it holds {len(palette)} colors for {num_classes} classes"
    elif not first_is_black and not picture.values.any(axis=-1).all():
        reason = "black is not its first color"
    else:
        return
    raise ValueError(
        f"{file} has a palette of colors, and nothing says which color is which class ({reason}): save the mask as PNG "
        "in gray, of the values 0, 1, 2 ..."
    )


def _too_many(file: str, pixels: Values) -> str:
    """The message for a mask with too many values."""
    found = np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)
    last = f" ... {_text_of(found[-1])}" if len(found) > MOST_VALUES else ""
    shown = ", ".join(map(_text_of, found[:MOST_VALUES])) + last
    return (
        f"{file} holds {len(found)} values, {shown}; a mask must hold two, of which the larger is the structure (JPEG "
        "and smoothing change values: save masks as PNG, or set --mask_threshold)"
    )


def _text_of(pixel: Values) -> str:
    """A pixel in words: its value, or its colors."""
    values = [f"{float(value):g}" for value in pixel]
    return values[0] if len(values) == 1 else f"({', '.join(values)})"
