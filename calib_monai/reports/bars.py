"""Bars: values of several methods, for each of some categories, panel beside panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from calib_monai.colors import class_color
from calib_monai.reports.panels import explain_below

TOGETHER = 0.8  # share of a category's room that its bars take
LETTERS = 24  # of all categories of a panel, above which their names are turned
WIDTH, HEIGHT = 3.4, 2.6  # of a panel, in inches: a panel fits a column
BAR = 0.14  # least width of a bar, in inches


class Panel(NamedTuple):
    """Bars of one panel.

    Attributes:
        title: what is shown.
        values: for each method, its value in each category; NaN has no bar.
        categories: their names.
    """

    title: str
    values: Mapping[str, Sequence[float]]
    categories: Sequence[str]


def bars_figure(panels: Sequence[Panel]) -> Figure:
    """A panel with a bar for each method in each category.

    A panel of a single line of values, whatever its name, has a color for each category and no legend.
    """
    most = max(len(panel.values) * len(panel.categories) for panel in panels)
    width = max(WIDTH, BAR * (most + max(len(panel.categories) for panel in panels)))
    figure = Figure(figsize=(width * len(panels), HEIGHT), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        places, each = np.arange(len(panel.categories)), TOGETHER / len(panel.values)
        for index, (name, values) in enumerate(panel.values.items()):
            own = [class_color(1 + place) for place in places] if len(panel.values) == 1 else class_color(1 + index)
            axes.bar(places + each * (index + 0.5) - TOGETHER / 2, values, each, color=own, label=name)
        turned = {"rotation": 45, "ha": "right"} if sum(map(len, panel.categories)) > LETTERS else {}
        axes.set_xticks(places, panel.categories, **turned)
        axes.set_title(panel.title, fontsize="medium")
        axes.axhline(0, color="#333333", linewidth=0.8)
        axes.tick_params(labelsize="small")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    if len(panels[0].values) > 1:
        explain_below(figure)
    return figure
