"""Figure of one case: image, truth, prediction, errors and confidence, with a row for each run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch
from numpy.typing import NDArray

from calib_monai.colors import class_color
from calib_monai.reports.names import wrapped
from calib_monai.reports.results import DICE, ERROR
from calib_monai.reports.runs import IGNORED, Run, Slice

PANEL = 2.6  # width of a picture, in inches
NAME, LINE = 22, 0.17  # letters in a line of a row's name, and the height of that line in inches
COLUMNS = ("image", "truth", "prediction", "errors", "confidence")
ERROR_COLOR = "#D55E00"
PREDICTED: dict[str, Any] = {"colors": "#E69F00", "linewidths": 2}
LABELED: dict[str, Any] = {"colors": "#56B4E9", "linewidths": 1.6, "linestyles": "dashed"}
OUTSIDE: dict[str, Any] = {"facecolor": "white", "edgecolor": "#999999", "hatch": "////"}


def case_figure(runs: Sequence[Run], case: str) -> Figure:
    """One slice of a case as each run sees it, with voxels in their physical proportions.

    Confidence is the highest probability of a voxel; its color scale is the same in all rows. Voxels that were cropped
    off have no confidence and are hatched. Voxels with an ignored label do not count as errors.

    Raises:
        ValueError: a run kept no slice of this case.
    """
    slices = [run.slice_of(case) for run in runs]
    names = [
        f"{wrapped(run.name, NAME)}\nDice {DICE.shown(run.dice(case))}\n"
        f"ECE, {run.region} {ERROR.shown(run.ece_of(case))}"
        for run in runs
    ]
    width, height = slices[0].label.shape
    tallest = max(name.count("\n") + 2 for name in names)
    row = max(PANEL * slices[0].voxel_aspect * height / width, LINE * tallest)
    figure = Figure(figsize=(PANEL * len(COLUMNS) + 3.2, row * len(runs) + 1.1), layout="constrained")
    grid = figure.subplots(len(runs), len(COLUMNS), squeeze=False)
    colors = ListedColormap(["#00000000", *(class_color(k) for k in range(1, slices[0].probs.shape[0]))])
    for axes, name, part in zip(grid, names, slices, strict=True):
        predicted, label = part.probs.argmax(axis=0), np.where(part.label == IGNORED, 0, part.label)
        for place, labels in ((1, label), (2, predicted)):
            draw_image(axes[place], part)
            axes[place].imshow(
                upright(labels, part), cmap=colors, vmin=0, vmax=colors.N - 1, alpha=0.65, interpolation="nearest"
            )
        draw_image(axes[0], part)
        draw_errors(axes[3], part)
        shown = draw_confidence(axes[4], part)
        axes[0].set_ylabel(name, rotation="horizontal", ha="right", va="center")
    for axes, title in zip(grid[0], COLUMNS, strict=True):
        axes.set_title(title)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[], aspect=slices[0].voxel_aspect)
    figure.colorbar(shown, ax=grid[:, 4], label="highest probability")
    of_volume = "" if slices[0].index is None else f", slice {slices[0].index}"
    figure.suptitle(f"{case}{of_volume}", fontsize="medium")
    patches = [Patch(color=class_color(k), label=name) for k, name in enumerate(runs[0].class_names) if k > 0]
    patches.append(Patch(color=ERROR_COLOR, label="not the truth"))
    if any(_outside(part).any() for part in slices):
        patches.append(Patch(label="outside the crop", **OUTSIDE))
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches), frameon=False)
    return figure


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
    confidence = np.ma.masked_array(part.probs.max(axis=0), _outside(part))
    axes.patch.set(**OUTSIDE)
    return axes.imshow(upright(confidence, part), cmap="cividis", vmin=1 / len(part.probs), vmax=1)


def _outside(part: Slice) -> NDArray[np.bool_]:
    """Voxels that were cropped off and filled as background, (H, W): all other classes have a probability of exactly 0.

    Softmax gives exactly 0 only if logits lie more than 100 apart, where float32 ends.
    """
    outside: NDArray[np.bool_] = (part.probs[1:] == 0).all(axis=0)
    return outside


def upright(array: NDArray[np.generic], part: Slice) -> NDArray[np.generic]:
    """An (x, y) array of a slice as rows from the top."""
    upright: NDArray[np.generic] = array.T[::-1] if part.from_below else array.T
    return upright
