"""Curves: measures of several methods against a number that was varied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import NamedTuple

from matplotlib.figure import Figure

from calib_monai.colors import class_color
from calib_monai.measures import Measure
from calib_monai.reports.radar import MARKERS

WIDTH, HEIGHT, LEGEND = 5.2, 4.0, 0.6  # of a panel, and of what is below all, in inches
MOST_COLUMNS = 4
WIDE = 200  # times the least number above 0: beyond, the axis is logarithmic


class Point(NamedTuple):
    """A method's result at one value of the varied number, and its deviation between seeds (NaN for a single seed)."""

    at: float
    value: float
    deviation: float


def curves_figure(
    panels: Mapping[Measure, Mapping[str, Sequence[Point]]], axis: str, levels: Mapping[Measure, Mapping[str, float]]
) -> Figure:
    """A panel for each measure, with a curve for each method; at most four panels stand beside each other.

    The axis of numbers that are very different is logarithmic, but for a part from 0 to the least of them.

    Args:
        panels: for each measure, the points of each method.
        axis: the name of the varied number.
        levels: for each measure, the results of methods in which nothing was varied, drawn as horizontal lines.
    """
    columns = min(len(panels), MOST_COLUMNS)
    rows = ceil(len(panels) / columns)
    figure = Figure(figsize=(WIDTH * columns, HEIGHT * rows + LEGEND), layout="constrained")
    methods = list(
        dict.fromkeys(name for part in (panels, levels) for of_method in part.values() for name in of_method)
    )
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    for axes, (measure, curves) in zip(grid, panels.items(), strict=False):
        for name, points in curves.items():
            index, ordered = methods.index(name), sorted(points)
            axes.errorbar(
                [point.at for point in ordered],
                [measure.factor * point.value for point in ordered],
                yerr=[measure.factor * point.deviation for point in ordered],
                color=class_color(index + 1),
                marker=MARKERS[index % len(MARKERS)],
                capsize=3,
                label=name,
            )
        for name, value in levels[measure].items():
            color = class_color(methods.index(name) + 1)
            axes.axhline(measure.factor * value, color=color, linestyle="--", label=name)
        places = {point.at for points in curves.values() for point in points}
        positive = [place for place in places if place > 0]
        if positive and max(positive) > WIDE * min(positive):
            axes.set_xscale("symlog", linthresh=min(positive))
            axes.set_xticks(sorted(places), [f"{place:g}" for place in sorted(places)])
            axes.minorticks_off()
        elif all(float(place).is_integer() for place in places):
            axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel(axis)
        axes.set_ylabel(measure.title)
        axes.grid(alpha=0.3)
    drawn = {
        label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    handles = [drawn[name] for name in methods]
    figure.legend(handles, methods, loc="outside lower center", ncols=min(len(methods), 6), frameon=False)
    return figure
