"""Curves: measures of several methods against a number that was varied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from calib_monai.colors import class_color
from calib_monai.measures import Measure
from calib_monai.reports.radar import MARKERS

WIDTH = 5.2  # of a panel, in inches


class Point(NamedTuple):
    """A method's result at one value of the varied number, and its deviation between seeds (NaN for a single seed)."""

    at: float
    value: float
    deviation: float


def curves_figure(
    panels: Mapping[Measure, Mapping[str, Sequence[Point]]], axis: str, levels: Mapping[Measure, Mapping[str, float]]
) -> Figure:
    """A panel for each measure, with a curve for each method.

    Args:
        panels: for each measure, the points of each method.
        axis: the name of the varied number.
        levels: for each measure, the results of methods in which nothing was varied, drawn as horizontal lines.
    """
    figure = Figure(figsize=(WIDTH * len(panels), 4.6), layout="constrained")
    for axes, (measure, curves) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for index, (name, points) in enumerate(curves.items()):
            ordered = sorted(points)
            axes.errorbar(
                [point.at for point in ordered],
                [point.value for point in ordered],
                yerr=[point.deviation for point in ordered],
                color=class_color(index + 1),
                marker=MARKERS[index % len(MARKERS)],
                capsize=3,
                label=name,
            )
        for index, (name, value) in enumerate(levels[measure].items(), len(curves)):
            axes.axhline(value, color=class_color(index + 1), linestyle="--", label=name)
        axes.set_xlabel(axis)
        axes.set_ylabel(measure.title)
        axes.grid(alpha=0.3)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 6), frameon=False)
    return figure
