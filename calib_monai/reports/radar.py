"""Radar of Dice and ECE over data sets: which method is good on all of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from calib_monai.colors import class_color
from calib_monai.reports.runs import Run

LEAST_DATASETS = 3  # fewer axes span no area
MARKERS = "osD^vPX*"


def radar_figure(runs: Sequence[Run]) -> Figure:
    """Dice and 1 - ECE of each method, with an axis for each data set; outwards is better in both.

    Several runs of a method on a data set, for example with several seeds, count by their mean. A method that was not
    run on all data sets has gaps.
    """
    datasets = list(dict.fromkeys(run.dataset for run in runs))
    methods = list(dict.fromkeys(run.method for run in runs))
    angles = np.linspace(0, 2 * np.pi, len(datasets), endpoint=False)
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    for place, (title, outward) in enumerate((("Dice", _dice), ("1 - ECE", _one_minus_ece)), 1):
        axes = figure.add_subplot(1, 2, place, projection="polar")
        shown = [1.0]
        for index, method in enumerate(methods):
            radii = [
                _mean([outward(run) for run in runs if (run.dataset, run.method) == (dataset, method)])
                for dataset in datasets
            ]
            shown += [radius for radius in radii if not math.isnan(radius)]
            axes.plot(
                [*angles, angles[0]],
                [*radii, radii[0]],
                color=class_color(index + 1),
                marker=MARKERS[index % len(MARKERS)],
                label=method,
            )
        axes.set_xticks(angles, datasets)
        axes.set_ylim(max(0, min(shown) - 0.1), 1)
        axes.set_title(title)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(methods), 6), frameon=False)
    return figure


def _dice(run: Run) -> float:
    """Dice of a run."""
    return run.metrics.get("dice_foreground", math.nan)


def _one_minus_ece(run: Run) -> float:
    """1 - ECE of a run."""
    return 1 - run.ece


def _mean(values: Sequence[float]) -> float:
    """The mean of values; NaN without values."""
    return statistics.fmean(values) if values else float("nan")
