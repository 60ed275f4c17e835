"""Reliability diagrams: how often a network is right at each confidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from calib_monai.bins import Bins
from calib_monai.reports.names import wrapped
from calib_monai.reports.results import DICE, ERROR
from calib_monai.reports.runs import Run

ACCURACY = "#0072B2"
OVER = "#E69F00"
UNDER = "#F0E442"
DIAGONAL = "#444444"
FEW = 1e-3  # share of the voxels below which a bin says little
PALE = 0.25  # opacity of its bar
MOST_COLUMNS = 4


def reliability_figure(runs: Sequence[Run]) -> Figure:
    """Diagrams side by side, each above the histogram of its confidences.

    A bar is the share of right voxels in a bin. The hatched part lies between this share and the bin's mean confidence;
    it is above the bar if the network is overconfident. The bars hold the voxels of all cases together. The ECE in the
    title is the mean over cases, as in the table. A bar with less than `FEW` of the voxels is pale.
    """
    columns = min(len(runs), MOST_COLUMNS)
    rows = math.ceil(len(runs) / columns)
    figure = Figure(figsize=(max(6.5, 1 + 4 * columns), 1.0 + 6.2 * rows), layout="constrained")
    grid = figure.subplots(2 * rows, columns, squeeze=False, sharey="row", height_ratios=[4, 1] * rows)
    for axes in grid.flat:
        axes.set_axis_off()
    for index, run in enumerate(runs):
        row, column = divmod(index, columns)
        above, below = grid[2 * row : 2 * row + 2, column]
        above.set_axis_on()
        below.set_axis_on()
        draw_diagram(above, run.bins)
        _draw_histogram(below, run.bins)
        dice = DICE.shown(run.metrics.get("dice_foreground", math.nan))
        values = f"ECE, {run.region} {ERROR.shown(run.ece)}, Dice {dice}"
        share = "" if math.isnan(run.share_of_voxels) else f"\n{run.share_of_voxels:.0%} of all voxels are {run.region}"
        above.set_title(f"{wrapped(run.name, 32)}\n{values}{share}")
        if column == 0:
            above.set_ylabel(f"accuracy, {run.region} voxels")
            below.set_ylabel("share of voxels")
    figure.suptitle("Bars: voxels of all cases together. ECE and Dice: mean over cases.", fontsize="small")
    _add_legend(figure)
    return figure


def diagram_figure(bins: Bins, region: str) -> Figure:
    """One diagram above its histogram, with the error of all these voxels together."""
    figure = Figure(figsize=(5.2, 6.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    draw_diagram(above, bins)
    _draw_histogram(below, bins)
    above.set_title(f"ECE of all voxels together {bins.expected_calibration_error().item():.3f}")
    above.set_ylabel(f"accuracy, {region} voxels")
    below.set_ylabel("share of voxels")
    return figure


def class_reliability_figure(runs: Sequence[Run]) -> Figure:
    """Diagrams of each class against the rest: for each run a row of diagrams, and one for every four classes.

    Each diagram stands above its histogram. On label foreground the background is never right, so it has no diagram.
    """
    first = int(runs[0].on_label_foreground)
    names = runs[0].class_names[first:]
    columns = min(len(names), MOST_COLUMNS)
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(1.2 + 3.1 * columns, 1.8 + 4.2 * rows * len(runs)), layout="constrained")
    ratios = [4, 1] * rows * len(runs)
    grid = figure.subplots(len(ratios), columns, squeeze=False, sharey="row", height_ratios=ratios)
    for axes in grid.flat:
        axes.set_axis_off()
    for number, run in enumerate(runs):
        for k, name in enumerate(names):
            row, column = divmod(k, columns)
            above, below = grid[2 * (number * rows + row) :, column][:2]
            above.set_axis_on()
            below.set_axis_on()
            bins = run.class_bins[first + k]
            draw_diagram(above, bins)
            _draw_histogram(below, bins)
            below.set_xlabel("probability of the class")
            error = ERROR.shown(bins.expected_calibration_error().item())
            above.set_title(f"{wrapped(name, 30)}\npooled error {error}", fontsize="medium")
            if column == 0:
                above.set_ylabel(f"{wrapped(run.name, 30)}\nshare that is of the class")
                below.set_ylabel("share of voxels")
    figure.suptitle(
        f"Each class against the rest, {runs[0].region} voxels of all cases together (pooled)", fontsize="small"
    )
    _add_legend(figure, "share that is of the class")
    return figure


def _add_legend(figure: Figure, bar: str = "accuracy: share that is right") -> None:
    """Explain the bars and the line below the diagrams."""
    handles = [
        Line2D([], [], color=DIAGONAL, linestyle="--", linewidth=1, label="calibrated"),
        Patch(color=ACCURACY, label=bar),
        Patch(facecolor="none", edgecolor=OVER, hatch="////", label="overconfident by"),
        Patch(facecolor=ACCURACY, edgecolor=UNDER, hatch="////", label="underconfident by"),
        Patch(color=ACCURACY, alpha=PALE, label=f"pale: of less than {FEW:.1%} of the voxels"),
    ]
    columns = 3 if figure.get_figwidth() > 8 else 2  # noqa: PLR2004 - inches
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)


def draw_diagram(axes: Axes, bins: Bins) -> None:
    """Bars of accuracy, the gap to the mean confidence, and the diagonal."""
    share = bins.count.numpy() / bins.total.numpy()
    accuracy, gap = bins.accuracy().numpy(), (bins.mean_confidence() - bins.accuracy()).numpy()
    for told, alpha in ((share >= FEW, 1.0), ((share > 0) & (share < FEW), PALE)):
        _draw_bars(axes, accuracy, told, color=ACCURACY, edgecolor="white", alpha=alpha)
        for off, color in ((gap > 0, OVER), (gap < 0, UNDER)):
            style = {"color": "none", "edgecolor": color, "hatch": "////"}
            _draw_bars(axes, gap, told & off, bottom=accuracy[told & off], alpha=alpha, **style)
    axes.plot([0, 1], [0, 1], color=DIAGONAL, linestyle="--", linewidth=1)
    axes.set(xlim=(0, 1), ylim=(0, 1), box_aspect=1)


def _draw_bars(axes: Axes, heights: NDArray[np.float64], told: NDArray[np.bool_], **style: Any) -> None:
    """Draw bars of these heights in the chosen bins."""
    left = np.flatnonzero(told) / len(told)
    axes.bar(left, heights[told], width=1 / len(told), align="edge", **style)


def _draw_histogram(axes: Axes, bins: Bins) -> None:
    """Share of voxels in each bin."""
    width = 1 / bins.num_bins
    left = np.arange(bins.num_bins) * width
    share = bins.count.numpy() / bins.total.numpy()
    axes.bar(left, share, width=width, align="edge", color="#999999", edgecolor="white")
    axes.set(xlim=(0, 1), ylim=(0, 1), box_aspect=0.25)
    axes.set_xlabel("confidence")
