"""Figure of one case: image, truth, prediction, errors and confidence, with a row for each run."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch

from calib_monai.colors import class_color
from calib_monai.reports.drawn_slices import (
    ERROR_COLOR,
    OUTSIDE,
    draw_confidence,
    draw_errors,
    draw_image,
    outside,
    upright,
)
from calib_monai.reports.names import beside, wrapped
from calib_monai.reports.panels import EDGE, Panels
from calib_monai.reports.results import DICE, ERROR
from calib_monai.reports.runs import Run
from calib_monai.reports.slice_files import IGNORED, Slice

PANEL = 2.6  # width of a picture, in inches
NAME, LINE = 22, 0.17  # letters in a line of a row's name, and the height of that line in inches
LEFT, RIGHT, SCALE = 2.4, 0.9, 0.15  # space for names, for the scale of the confidence, and its width, in inches
COLUMNS = ("image", "truth", "prediction", "errors", "confidence")


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
    seen = Patch(label="outside the crop", **OUTSIDE)
    patches = [Patch(color=class_color(k), label=name) for k, name in enumerate(runs[0].class_names) if k > 0]
    patches += [Patch(color=ERROR_COLOR, label="not the truth"), *[seen] * any(outside(part).any() for part in slices)]
    columns = beside([str(patch.get_label()) for patch in patches], PANEL * len(COLUMNS))
    panels = Panels(
        len(runs),
        len(COLUMNS),
        width=PANEL,
        heights=(row,),
        title=0,
        left=LEFT,
        between=EDGE,
        right=RIGHT,
        below=EDGE,
        head=0.65,
        keys=ceil(len(patches) / columns),
    )
    figure = panels.figure
    grid = np.array([[panels.axes(row, column)[0] for column in range(len(COLUMNS))] for row in range(len(runs))])
    colors = ListedColormap(["#00000000", *(class_color(k) for k in range(1, slices[0].probs.shape[0]))])
    for axes, name, part in zip(grid, names, slices, strict=True):
        shown = _draw_row(axes, part, colors)
        axes[0].set_ylabel(name, rotation="horizontal", ha="right", va="center")
    for axes, title in zip(grid[0], COLUMNS, strict=True):
        axes.set_title(title, y=1)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[], aspect=slices[0].voxel_aspect)
    across, first, last = figure.get_figwidth(), grid[0, 0].get_position(), grid[-1, -1].get_position()
    scale = figure.add_axes((last.x1 + EDGE / across, last.y0, SCALE / across, first.y1 - last.y0))
    figure.colorbar(shown, cax=scale, label="highest probability")
    of_volume = "" if slices[0].index is None else f", slice {slices[0].index}"
    figure.suptitle(f"{case}{of_volume}", fontsize="medium", y=1 - EDGE / figure.get_figheight(), va="top")
    panels.explain(patches, columns)
    return figure


def _draw_row(axes: Sequence[Axes], part: Slice, colors: ListedColormap) -> AxesImage:
    """Draw the slice of a run in each of `COLUMNS`; return the confidence, of which the color scale is."""
    image, truth, prediction, errors, confidence = axes
    draw_image(image, part)
    for one, labels in (
        (truth, np.where(part.label == IGNORED, 0, part.label)),
        (prediction, part.probs.argmax(axis=0)),
    ):
        draw_image(one, part)
        one.imshow(upright(labels, part), cmap=colors, vmin=0, vmax=colors.N - 1, alpha=0.65, interpolation="nearest")
    draw_errors(errors, part)
    return draw_confidence(confidence, part)
