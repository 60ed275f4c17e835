"""Reliability diagrams: how often a network is right at each confidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calib_monai.reports.runs import Run

ACCURACY = "#0072B2"
GAP = "#E69F00"
DIAGONAL = "#444444"


def reliability_figure(runs: Sequence[Run]) -> Figure:
    """Diagrams side by side, each above the histogram of its confidences.

    A bar is the share of right voxels in a bin; the hatched part is what lies between it and the
    mean confidence there. All voxels of all cases together make the bars; the ECE in the title is
    the mean over cases, as in the table.
    """
    figure = Figure(figsize=(1 + 4 * len(runs), 6), layout="constrained")
    axes = figure.subplots(2, len(runs), squeeze=False, sharex=True, sharey="row", height_ratios=[4, 1])
    for column, run in enumerate(runs):
        _draw_diagram(axes[0, column], run)
        _draw_histogram(axes[1, column], run)
    axes[0, 0].set_ylabel(f"accuracy, {runs[0].region} voxels")
    axes[1, 0].set_ylabel("share of voxels")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _draw_diagram(axes: Axes, run: Run) -> None:
    """Bars of accuracy, the gap to the mean confidence, and the diagonal."""
    width = 1 / run.bins.num_bins
    left = np.arange(run.bins.num_bins) * width
    filled = run.bins.count.numpy() > 0
    accuracy, confidence = run.bins.accuracy().numpy(), run.bins.mean_confidence().numpy()
    axes.bar(
        left[filled], accuracy[filled], color=ACCURACY, edgecolor="white", label="accuracy", width=width, align="edge"
    )
    gap = (confidence - accuracy)[filled]
    axes.bar(
        left[filled],
        gap,
        bottom=accuracy[filled],
        color="none",
        edgecolor=GAP,
        hatch="////",
        label="gap to the mean confidence",
        width=width,
        align="edge",
    )
    axes.plot([0, 1], [0, 1], color=DIAGONAL, linestyle="--", linewidth=1, label="calibrated")
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
