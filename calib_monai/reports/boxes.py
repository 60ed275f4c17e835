"""Boxes: the values of all patients, for each of several methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan

from matplotlib.figure import Figure

from calib_monai.colors import class_color
from calib_monai.measures import Measure

WIDTH, EACH, HEIGHT = 3.4, 0.32, 2.8  # inches: the least width of a panel, that of a box, and the height
EDGES = {"color": "#333333"}


def boxes_figure(panels: Mapping[Measure, Mapping[str, Sequence[float]]]) -> Figure:
    """A panel for each measure, with a box for each method over its patients; patients without a value are left out.

    A box reaches from the first to the third quartile, its line is the median and its triangle the mean. Whiskers reach
    to the farthest value within 1.5 times the height of the box; values beyond are points.
    """
    most = max(len(of_methods) for of_methods in panels.values())
    width = max(WIDTH, 1 + EACH * most)
    figure = Figure(figsize=(width * len(panels), HEIGHT), layout="constrained")
    for axes, (measure, of_methods) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
    ):
        known = [[measure.factor * value for value in values if not isnan(value)] for values in of_methods.values()]
        boxes = axes.boxplot(
            known,
            widths=0.6,
            patch_artist=True,
            showmeans=True,
            medianprops=EDGES,
            meanprops={"markerfacecolor": "white", "markeredgecolor": "#333333", "markersize": 4},
            flierprops={"markersize": 3},
        )
        for index, box in enumerate(boxes["boxes"]):
            box.set(facecolor=class_color(index + 1), alpha=0.8)
        axes.set_xticks(range(1, len(known) + 1), list(of_methods), rotation=45, ha="right")
        axes.set_ylabel(measure.title)
        axes.tick_params(labelsize="small")
        axes.grid(axis="y", alpha=0.3)
    return figure
