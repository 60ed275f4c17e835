"""Radar of Dice and ECE over data sets: which method is good on all of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from calib_monai.colors import class_color
from calib_monai.reports.names import beside
from calib_monai.reports.runs import Run

LEAST_DATASETS = 3  # fewer axes span no area
MARKERS = "osD^vPX*"
LOWEST = 0.1  # by which the center lies below the lowest value
PANEL = 5.5  # width in inches


def radar_figure(runs: Sequence[Run]) -> Figure:
    """Dice and 1 - ECE of each method, with an axis for each data set; outwards is better in both.

    Several runs of a method on a data set, for example with several seeds, count by their mean. A method that was not
    run on all data sets has gaps.
    """
    datasets = list(dict.fromkeys(run.dataset for run in runs))
    methods = list(dict.fromkeys(run.method for run in runs))
    outward: dict[str, Callable[[Run], float]] = {
        "Dice": lambda run: run.metrics.get("dice_foreground", math.nan),
        "1 - ECE": lambda run: 1 - run.ece,
    }
    return radars_figure(
        {
            title: {
                method: [
                    _mean([of(run) for run in runs if (run.dataset, run.method) == (dataset, method)])
                    for dataset in datasets
                ]
                for method in methods
            }
            for title, of in outward.items()
        },
        datasets,
    )


def radars_figure(panels: Mapping[str, Mapping[str, Sequence[float]]], datasets: Sequence[str]) -> Figure:
    """A radar for each panel, with an axis for each data set and a line for each method.

    Args:
        panels: by title, for each method its value on each data set, at most 1, more is better; NaN is a gap.
        datasets: names of the axes.
    """
    angles = np.linspace(0, 2 * np.pi, len(datasets), endpoint=False)
    figure = Figure(figsize=(PANEL * len(panels), 5.6), layout="constrained")
    methods = list(dict.fromkeys(method for of_methods in panels.values() for method in of_methods))
    for place, (title, of_methods) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), place, projection="polar")
        for method, radii in of_methods.items():
            index = methods.index(method)
            axes.plot(
                [*angles, angles[0]],
                [*radii, radii[0]],
                color=class_color(index + 1),
                marker=MARKERS[index % len(MARKERS)],
                label=method,
            )
        shown = [1.0, *(radius for radii in of_methods.values() for radius in radii if not math.isnan(radius))]
        axes.set_xticks(angles, datasets)
        axes.set_rlabel_position(math.degrees(angles[1]) / 2)  # type: ignore[attr-defined]  # between two axes
        axes.set_ylim(max(0, min(shown) - LOWEST), 1)
        axes.set_title(title)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    rows = math.ceil(len(labels) / beside(labels, figure.get_figwidth()))
    columns = math.ceil(len(labels) / rows)
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def _mean(values: Sequence[float]) -> float:
    """The mean of values; NaN without values."""
    return statistics.fmean(values) if values else float("nan")
