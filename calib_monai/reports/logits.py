"""Figure of the logits: their distributions for each class, by true class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from calib_monai.colors import class_color
from calib_monai.reports.names import wrapped
from calib_monai.reports.runs import Run

SHOWN_SHARE = 1e-3  # the axis ends where less than this share of a distribution lies beyond


def logits_figure(runs: Sequence[Run]) -> Figure:
    """Distributions of the logits of all classes, with a row for each run and a column for each true class.

    The logit of the true class should lie to the right of the others. The wider the gap, the closer its probability is
    to 1. Every run must have kept its logits.
    """
    kept = [run.logits for run in runs if run.logits is not None]
    names = runs[0].class_names
    figure = Figure(figsize=(1.2 + 2.9 * len(names), 1.4 + 2.0 * len(runs)), layout="constrained")
    axes = figure.subplots(len(runs), len(names), squeeze=False, sharex=True, sharey="row")
    ends: list[float] = []
    for row, (run, logits) in enumerate(zip(runs, kept, strict=True)):
        for column, name in enumerate(names):
            for k, counts in enumerate(logits.count[column]):
                share = counts / max(1, counts.sum())
                _draw(axes[row, column], logits.edges, share, class_color(k), names[k])
                told = np.flatnonzero((share.cumsum() > SHOWN_SHARE) & (share.cumsum() < 1 - SHOWN_SHARE))
                ends += logits.edges[told].tolist()
            axes[row, column].set_title(f"truth: {name}", fontsize="medium")
        axes[row, 0].set_ylim(bottom=0)
        axes[row, 0].set_ylabel(f"{wrapped(run.name, 20)}\nshare of voxels")
    for below in axes[-1]:
        below.set_xlabel("logit")
    if ends:
        axes[0, 0].set_xlim(min(ends) - 1, max(ends) + 1)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles,
        [f"logit of {label}" for label in labels],
        loc="outside lower center",
        ncols=len(names),
        frameon=False,
    )
    return figure


def _draw(axes: Axes, edges: NDArray[np.float64], share: NDArray[np.float64], color: str, label: str) -> None:
    """Draw one histogram (`Axes.stairs` takes ten times as long to find its limits)."""
    heights = np.append(share, 0)
    axes.fill_between(edges, heights, step="post", color=color, alpha=0.35, linewidth=0)
    axes.plot(edges, heights, drawstyle="steps-post", color=color, label=label)
