"""Drawn slices: a slice's image, outlines, errors and confidence, each on axes of a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from calib_monai.reports.slice_files import IGNORED, Slice

ERROR_COLOR = "#D55E00"
PREDICTED: dict[str, Any] = {"colors": "#E69F00", "linewidths": 2}
LABELED: dict[str, Any] = {"colors": "#56B4E9", "linewidths": 1.6, "linestyles": "dashed"}
OUTSIDE: dict[str, Any] = {"facecolor": "white", "edgecolor": "#999999", "hatch": "////"}
MARGIN = 5  # least number of voxels around the structures


def draw_image(axes: Axes, part: Slice) -> None:
    """Draw the image of a slice in gray."""
    axes.imshow(upright(part.image, part), cmap="gray")


def draw_outlines(axes: Axes, part: Slice) -> None:
    """Draw the image, with lines around the predicted structures and dashed lines around those of the label."""
    draw_image(axes, part)
    for labels, lines in ((part.probs.argmax(axis=0), PREDICTED), (part.label, LABELED)):
        for k in range(1, len(part.probs)):
            if (labels == k).any():
                axes.contour(upright(labels == k, part), levels=[0.5], **lines)


def draw_errors(axes: Axes, part: Slice) -> None:
    """Draw the image, with the voxels whose label is not predicted; ignored ones are no errors."""
    draw_image(axes, part)
    wrong = np.ma.masked_equal((part.probs.argmax(axis=0) != part.label) & (part.label != IGNORED), 0)
    axes.imshow(upright(wrong, part), cmap=ListedColormap([ERROR_COLOR]), interpolation="nearest")


def draw_confidence(axes: Axes, part: Slice) -> AxesImage:
    """Draw the highest probability of each voxel; voxels that were cropped off are hatched."""
    confidence = np.ma.masked_array(part.probs.max(axis=0), outside(part))
    axes.patch.set(**OUTSIDE)
    return axes.imshow(upright(confidence, part), cmap="cividis", vmin=1 / len(part.probs), vmax=1)


def outside(part: Slice) -> NDArray[np.bool_]:
    """Voxels that were cropped off and filled as background, (H, W): all other classes have a probability of exactly 0.

    Softmax gives exactly 0 only if logits lie more than 100 apart, where float32 ends.
    """
    cropped: NDArray[np.bool_] = (part.probs[1:] == 0).all(axis=0)
    return cropped


def upright(array: NDArray[np.generic], part: Slice) -> NDArray[np.generic]:
    """An (x, y) array of a slice as rows from the top."""
    upright: NDArray[np.generic] = array.T[::-1] if part.from_below else array.T
    return upright


def around_structures(parts: Sequence[Slice]) -> dict[str, tuple[float, float]]:
    """The limits of axes that show all structures of these predictions and labels with a margin; without any, all."""
    limits = [_around(part) for part in parts]
    tops, bottoms, lefts, rights = zip(*limits, strict=True)
    return {"xlim": (min(lefts), max(rights)), "ylim": (max(bottoms), min(tops))}


def _around(part: Slice) -> tuple[float, float, float, float]:
    """The top, bottom, left and right of what `around_structures` shows of one slice."""
    inside = upright((part.probs.argmax(axis=0) > 0) | ((part.label > 0) & (part.label != IGNORED)), part)
    if not inside.any():
        inside = np.ones_like(inside)
    (rows, columns), (height, width) = np.nonzero(inside), inside.shape
    return (*_with_margin(rows, height), *_with_margin(columns, width))


def _with_margin(places: NDArray[np.intp], size: int) -> tuple[float, float]:
    """The edges of the voxels at these places of an axis, and of a margin of an eighth of them within the axis."""
    margin = max(MARGIN, int(places.max() - places.min()) // 8)
    return max(places.min() - margin, 0) - 0.5, min(places.max() + margin, size - 1) + 0.5
