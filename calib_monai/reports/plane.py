"""Plane: Dice of several methods against a calibration error; the best lie at the upper left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from calib_monai.colors import class_color
from calib_monai.measures import Measure
from calib_monai.reports.panels import explain_below
from calib_monai.reports.radar import MARKERS

WIDTH, HEIGHT = 3.6, 3.4  # of a panel, in inches: a panel fits a column


class Spot(NamedTuple):
    """A method in the plane: its error and Dice, and those of each of its trainings."""

    error: float
    dice: float
    trainings: Sequence[tuple[float, float]]


def plane_figure(panels: Mapping[Measure, Mapping[str, Spot]], dice: Measure) -> Figure:
    """A panel for each error, with a large mark for each method, and a small one for each of its trainings.

    Args:
        panels: by error, the place of each method.
        dice: how Dice is shown.
    """
    figure = Figure(figsize=(max(WIDTH * len(panels), 5), HEIGHT), layout="constrained")
    row = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (error, spots) in zip(row, panels.items(), strict=True):
        for index, (name, spot) in enumerate(spots.items()):
            look = {"color": class_color(index + 1), "marker": MARKERS[index % len(MARKERS)]}
            if len(spot.trainings) > 1:
                axes.scatter(*zip(*spot.trainings, strict=True), s=10, alpha=0.45, linewidth=0, **look)
            axes.scatter([spot.error], [spot.dice], s=48, edgecolor="black", linewidth=0.6, label=name, **look)
        axes.set_xlabel(error.title)
        axes.grid(alpha=0.3)
    row[0].set_ylabel(dice.title)
    explain_below(figure)
    return figure
