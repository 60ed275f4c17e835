"""Reliability diagrams: how often a network is right at each confidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from calib_monai.bins import Bins
from calib_monai.reports.names import wrapped
from calib_monai.reports.panels import EDGE, LARGE, LINE, Panels, most_lines
from calib_monai.reports.results import DICE, ERROR
from calib_monai.reports.runs import Run

ACCURACY = "#0072B2"
OVER = "#E69F00"
UNDER = "#F0E442"
DIAGONAL = "#444444"
FEW = 1e-3  # share of the voxels below which a bin says little
PALE = 0.25  # opacity of its bar
MOST_COLUMNS = 4
TICKS, FEW_TICKS = (0, 0.2, 0.4, 0.6, 0.8, 1), (0, 0.5, 1)


def reliability_figure(runs: Sequence[Run]) -> Figure:
    """Diagrams side by side, each above the histogram of its confidences.

    A bar is the share of right voxels in a bin. The hatched part lies between this share and the bin's mean confidence;
    it is above the bar if the network is overconfident. The bars hold the voxels of all cases together. The ECE in the
    title is the mean over cases, as in the table. A bar with less than `FEW` of the voxels is pale.
    """
    titles = [_title(run) for run in runs]
    columns = min(len(runs), MOST_COLUMNS)
    panels = _panels(math.ceil(len(runs) / columns), columns, 3.4, LARGE * most_lines(titles), 0.85)
    for index, (run, title) in enumerate(zip(runs, titles, strict=True)):
        row, column = divmod(index, columns)
        above, below = panels.axes(row, column)
        _draw_both(above, below, run.bins, numbered=column == 0)
        above.set_title(title, y=1)  # elsewhere matplotlib measures what is below it
        below.set_xlabel("confidence")
        if column == 0:
            above.set_ylabel(f"accuracy, {run.region} voxels")
            below.set_ylabel("share of\nvoxels")
    panels.say_above("Bars: voxels of all cases together. ECE and Dice: mean over cases.")
    return panels.figure


def _title(run: Run) -> str:
    """The title of a run's diagram."""
    dice = DICE.shown(run.metrics.get("dice_foreground", math.nan))
    values = f"ECE, {run.region} {ERROR.shown(run.ece)}, Dice {dice}"
    share = "" if math.isnan(run.share_of_voxels) else f"\n{run.share_of_voxels:.0%} of all voxels are {run.region}"
    return f"{wrapped(run.name, 32)}\n{values}{share}"


def diagram_figure(bins: Bins, region: str) -> Figure:
    """One diagram above its histogram, with the error of all these voxels together."""
    figure = Figure(figsize=(5.2, 6.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    _draw_both(above, below, bins)
    below.set_xlabel("confidence")
    above.set_title(f"ECE of all voxels together {bins.expected_calibration_error().item():.3f}")
    above.set_ylabel(f"accuracy, {region} voxels")
    below.set_ylabel("share of\nvoxels")
    return figure


def class_reliability_figure(runs: Sequence[Run]) -> Figure:
    """Diagrams of each class against the rest: for each run a row of diagrams, and one for every four classes.

    Each diagram stands above its histogram. On label foreground the background is never right, so it has no diagram.
    """
    first = int(runs[0].on_label_foreground)
    names = [wrapped(name, 30) for name in runs[0].class_names[first:]]
    columns = min(len(names), MOST_COLUMNS)
    rows = math.ceil(len(names) / columns)
    called = [f"{wrapped(run.name, 30)}\nshare that is of the class" for run in runs]
    title, left = LINE * (1 + most_lines(names)), 0.6 + LINE * most_lines(called)
    panels = _panels(rows * len(runs), columns, 2.6, title, left, "share that is of the class")
    for number, run in enumerate(runs):
        for k, name in enumerate(names):
            row, column = divmod(k, columns)
            above, below = panels.axes(number * rows + row, column)
            bins = run.class_bins[first + k]
            _draw_both(above, below, bins, numbered=column == 0, ticks=FEW_TICKS)
            below.set_xlabel("probability of the class")
            error = ERROR.shown(bins.expected_calibration_error().item())
            above.set_title(f"{name}\npooled error {error}", fontsize="medium", y=1)
            if column == 0:
                above.set_ylabel(called[number])
                below.set_ylabel("share of\nvoxels")
    panels.say_above(f"Each class against the rest, {runs[0].region} voxels of all cases together (pooled)")
    return panels.figure


def _panels(
    rows: int, columns: int, width: float, title: float, left: float, bar: str = "accuracy: share that is right"
) -> Panels:
    """Panels for diagrams above histograms, with a legend that explains the bars and the line below the diagrams."""
    handles = [
        Line2D([], [], color=DIAGONAL, linestyle="--", linewidth=1, label="calibrated"),
        Patch(color=ACCURACY, label=bar),
        Patch(facecolor="none", edgecolor=OVER, hatch="////", label="overconfident by"),
        Patch(facecolor=ACCURACY, edgecolor=UNDER, hatch="////", label="underconfident by"),
        Patch(color=ACCURACY, alpha=PALE, label=f"pale: of less than {FEW:.1%} of the voxels"),
    ]
    beside = 3 if columns > 2 else 2  # noqa: PLR2004 - panels
    heights, keys = (width, width / 4), math.ceil(len(handles) / beside)
    panels = Panels(rows, columns, width=width, heights=heights, title=title + EDGE, left=left, head=0.25, keys=keys)
    panels.explain(handles, beside)
    return panels


def _draw_both(above: Axes, below: Axes, bins: Bins, *, numbered: bool = True, ticks: Sequence[float] = TICKS) -> None:
    """A diagram and its histogram, whose numbers are below both; `numbered` is for those beside them."""
    draw_diagram(above, bins)
    share = bins.count.numpy() / bins.total.numpy()
    _draw_bars(below, np.zeros_like(share), share, share > 0, facecolor="#999999", edgecolor="white")
    below.set(xlim=(0, 1), ylim=(0, 1), box_aspect=0.25)
    for axes, labeled, of_axes in ((above, False, ticks), (below, True, (0, 0.5))):
        axes.set(xticks=ticks, yticks=of_axes)
        axes.tick_params(labelbottom=labeled, labelleft=numbered)


def draw_diagram(axes: Axes, bins: Bins) -> None:
    """Bars of accuracy, the gap to the mean confidence, and the diagonal."""
    share = bins.count.numpy() / bins.total.numpy()
    accuracy, confidence = bins.accuracy().numpy(), bins.mean_confidence().numpy()
    nothing = np.zeros_like(accuracy)
    for told, alpha in ((share >= FEW, 1.0), ((share > 0) & (share < FEW), PALE)):
        _draw_bars(axes, nothing, accuracy, told, facecolor=ACCURACY, edgecolor="white", alpha=alpha)
        for off, color in ((confidence > accuracy, OVER), (confidence < accuracy, UNDER)):
            style = {"facecolor": "none", "edgecolor": color, "hatch": "////", "alpha": alpha}
            _draw_bars(axes, accuracy, confidence, told & off, **style)
    axes.plot([0, 1], [0, 1], color=DIAGONAL, linestyle="--", linewidth=1)
    axes.set(xlim=(0, 1), ylim=(0, 1), box_aspect=1)


def _draw_bars(
    axes: Axes, bottoms: NDArray[np.float64], tops: NDArray[np.float64], told: NDArray[np.bool_], **style: Any
) -> None:
    """Draw bars between these heights in the chosen bins, as one artist: `Axes.bar` has one for each, and is slow."""
    if told.any():
        ends = np.linspace(0, 1, len(told) + 1)
        left, right = ends[:-1][told], ends[1:][told]
        low, high = bottoms[told], tops[told]
        corners = np.stack([[left, right, right, left], [low, low, high, high]], axis=-1).swapaxes(0, 1)
        axes.add_collection(PolyCollection(corners, **style), autolim=False)
