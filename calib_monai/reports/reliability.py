"""Reliability diagrams: how often a network is right at each confidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from calib_monai.reports.runs import Run

ACCURACY = "#0072B2"
OVER = "#E69F00"
UNDER = "#F0E442"
DIAGONAL = "#444444"


def reliability_figure(runs: Sequence[Run]) -> Figure:
    """Diagrams side by side, each above the histogram of its confidences.

    A bar is the share of right voxels in a bin; the hatched part is what lies between it and the mean
    confidence there, above the bar where the network is overconfident. All voxels of all cases together
    make the bars; the ECE in the title is the mean over cases, as in the table.
    """
    figure = Figure(figsize=(max(6.5, 1 + 4 * len(runs)), 6.4), layout="constrained")
    axes = figure.subplots(2, len(runs), squeeze=False, sharex=True, sharey="row", height_ratios=[4, 1])
    for column, run in enumerate(runs):
        _draw_diagram(axes[0, column], run)
        _draw_histogram(axes[1, column], run)
    axes[0, 0].set_ylabel(f"accuracy, {runs[0].region} voxels")
    axes[1, 0].set_ylabel("share of voxels")
    handles = [
        Line2D([], [], color=DIAGONAL, linestyle="--", linewidth=1, label="calibrated"),
        Patch(color=ACCURACY, label="accuracy"),
        Patch(facecolor="none", edgecolor=OVER, hatch="////", label="overconfident by"),
        Patch(facecolor=ACCURACY, edgecolor=UNDER, hatch="////", label="underconfident by"),
    ]
    figure.suptitle("Bars: voxels of all cases together. ECE and Dice: mean over cases.", fontsize="small")
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _draw_diagram(axes: Axes, run: Run) -> None:
    """Bars of accuracy, the gap to the mean confidence, and the diagonal."""
    width = 1 / run.bins.num_bins
    left = np.arange(run.bins.num_bins) * width
    filled = run.bins.count.numpy() > 0
    accuracy, confidence = run.bins.accuracy().numpy(), run.bins.mean_confidence().numpy()
    axes.bar(left[filled], accuracy[filled], color=ACCURACY, edgecolor="white", width=width, align="edge")
    gap = confidence - accuracy
    for told, color in ((gap > 0, OVER), (gap < 0, UNDER)):
        axes.bar(
            left[told],
            gap[told],
            bottom=accuracy[told],
            color="none",
            edgecolor=color,
            hatch="////",
            width=width,
            align="edge",
        )
    axes.plot([0, 1], [0, 1], color=DIAGONAL, linestyle="--", linewidth=1)
    axes.set(xlim=(0, 1), ylim=(0, 1), box_aspect=1)
    axes.set_title(f"{run.name}\nECE {run.metrics['ece_foreground']:.3f}, Dice {run.metrics['dice_foreground']:.3f}")


def _draw_histogram(axes: Axes, run: Run) -> None:
    """Share of voxels in each bin."""
    width = 1 / run.bins.num_bins
    left = np.arange(run.bins.num_bins) * width
    share = run.bins.count.numpy() / run.bins.total.numpy()
    axes.bar(left, share, width=width, align="edge", color="#999999", edgecolor="white")
    axes.set(ylim=(0, 1), box_aspect=0.25)
    axes.set_xlabel("confidence")
