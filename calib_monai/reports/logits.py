"""Figure of the logits: their distributions for each class, by true class."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from calib_monai.colors import class_color
from calib_monai.reports.names import beside, wrapped
from calib_monai.reports.reliability import MOST_COLUMNS
from calib_monai.reports.runs import Run

SHOWN_SHARE = 1e-3  # the axis ends where less than this share of a distribution lies beyond


def logits_figure(runs: Sequence[Run]) -> Figure:
    """Distributions of the logits of all classes: for each run a row of diagrams, and one for every four true classes.

    The logit of the true class should lie to the right of the others. The wider the gap, the closer its probability is
    to 1. Every run must have kept its logits.
    """
    kept = [run.logits for run in runs if run.logits is not None]
    names = runs[0].class_names
    columns = min(len(names), MOST_COLUMNS)
    rows = ceil(len(names) / columns)
    figure = Figure(figsize=(1.2 + 2.9 * columns, 1.4 + 2.0 * rows * len(runs)), layout="constrained")
    grid = figure.subplots(rows * len(runs), columns, squeeze=False, sharex=True, sharey="row")
    for axes in grid.flat:
        axes.set_axis_off()
    ends: list[float] = []
    for number, (run, logits) in enumerate(zip(runs, kept, strict=True)):
        for truth, name in enumerate(names):
            row, column = divmod(truth, columns)
            axes = grid[number * rows + row, column]
            axes.set_axis_on()
            for k, counts in enumerate(logits.count[truth]):
                share = counts / max(1, counts.sum())
                _draw(axes, logits.edges, share, class_color(k), names[k])
                told = np.flatnonzero((share.cumsum() > SHOWN_SHARE) & (share.cumsum() < 1 - SHOWN_SHARE))
                ends += logits.edges[told].tolist()
            axes.set_title(f"truth: {name}", fontsize="medium")
            if truth + columns >= len(names):
                axes.set_xlabel("logit")
                axes.tick_params(labelbottom=True)
            if column == 0:
                axes.set_ylim(bottom=0)
                axes.set_ylabel(f"{wrapped(run.name, 20)}\nshare of voxels")
    if ends:
        grid[0, 0].set_xlim(min(ends) - 1, max(ends) + 1)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    told_labels = [f"logit of {label}" for label in labels]
    ncols = beside(told_labels, figure.get_figwidth())
    figure.legend(handles, told_labels, loc="outside lower center", ncols=ncols, frameon=False)
    return figure


def _draw(axes: Axes, edges: NDArray[np.float64], share: NDArray[np.float64], color: str, label: str) -> None:
    """Draw one histogram (`Axes.stairs` takes ten times as long to find its limits)."""
    heights = np.append(share, 0)
    axes.fill_between(edges, heights, step="post", color=color, alpha=0.35, linewidth=0)
    axes.plot(edges, heights, drawstyle="steps-post", color=color, label=label)
