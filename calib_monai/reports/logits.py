"""Figure of the logits: their distributions for each class, by true class."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from calib_monai.colors import class_color
from calib_monai.reports.names import beside, wrapped
from calib_monai.reports.panels import EDGE, LINE, Panels, most_lines
from calib_monai.reports.reliability import MOST_COLUMNS
from calib_monai.reports.runs import LogitCounts, Run

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
    keys = [Line2D([], [], color=class_color(k), label=f"logit of {name}") for k, name in enumerate(names)]
    across = beside([str(key.get_label()) for key in keys], 2.8 * columns)
    called = [f"{wrapped(run.name, 20)}\nshare of voxels" for run in runs]
    titles = [wrapped(f"truth: {name}", 30) for name in names]
    panels = Panels(
        rows * len(runs),
        columns,
        width=2.6,
        heights=(1.5,),
        title=LINE * most_lines(titles) + EDGE,
        left=0.6 + LINE * most_lines(called),
        between=0.2,
        keys=ceil(len(keys) / across),
    )
    panels.explain(keys, across)
    shares = [logits.count / np.maximum(logits.count.sum(axis=-1, keepdims=True), 1) for logits in kept]
    ends = _ends(kept, shares)
    for number, logits in enumerate(kept):
        for truth, title in enumerate(titles):
            row, column = divmod(truth, columns)
            [axes] = panels.axes(number * rows + row, column)
            _draw(axes, logits.edges, shares[number][truth])
            axes.set_title(title, fontsize="medium", y=1)
            last = truth + columns >= len(names)
            axes.tick_params(labelbottom=last, labelleft=column == 0)
            of_row = shares[number][row * columns : (row + 1) * columns]
            axes.set(xlim=ends, ylim=(0, 1.05 * of_row.max() or 1))
            if last:
                axes.set_xlabel("logit")
            if column == 0:
                axes.set_ylabel(called[number])
    return panels.figure


def _ends(kept: Sequence[LogitCounts], shares: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """The ends of the axis of logits: beyond them lies less than `SHOWN_SHARE` of each distribution."""
    ends: list[float] = []
    for logits, of_run in zip(kept, shares, strict=True):
        below = of_run.cumsum(axis=-1)
        inside = ((below > SHOWN_SHARE) & (below < 1 - SHOWN_SHARE)).any(axis=(0, 1))
        ends += logits.edges[:-1][inside].tolist()
    return (min(ends) - 1, max(ends) + 1) if ends else (float(kept[0].edges[0]), float(kept[0].edges[-1]))


def _draw(axes: Axes, edges: NDArray[np.float64], shares: NDArray[np.float64]) -> None:
    """Draw a histogram for each class, (C, N), as two artists together and without empty ends.

    With an artist for each histogram matplotlib takes a hundred times as long for 60 classes.
    """
    steps = []
    for share in shares:
        filled = np.flatnonzero(share)
        first, last = (filled[0], filled[-1] + 1) if len(filled) else (0, 0)
        heights = np.concatenate([[0], np.repeat(share[first:last], 2), [0]])
        steps.append(np.stack([np.repeat(edges[first : last + 1], 2), heights], axis=-1))
    colors = [class_color(k) for k in range(len(shares))]
    axes.add_collection(PolyCollection(steps, facecolors=colors, alpha=0.35, linewidths=0), autolim=False)
    axes.add_collection(LineCollection(steps, colors=colors), autolim=False)
