"""Critical differences: a diagram of mean ranks, with bars over rows that are not told apart (Demsar 2006, JMLR 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from calib_monai.colors import class_color
from calib_monai.ranks import Friedman

SIGNIFICANT = 0.05
FIGURE = "critical_differences"


def critical_differences_figure(tests: Mapping[str, Friedman], names: Sequence[str]) -> Figure:
    """A panel for each test.

    Args:
        tests: by the title of the measure, at least one.
        names: of the rows.
    """
    figure = Figure(figsize=(7, (0.9 + 0.2 * len(names)) * len(tests)), layout="constrained")
    for axes, (title, test) in zip(figure.subplots(len(tests), squeeze=False).flat, tests.items(), strict=True):
        _draw(axes, test, names)
        axes.set_title(f"{title}: mean rank over patients, 1 the best", fontsize="small", loc="left")
    return figure


def groups_of(test: Friedman) -> list[list[int]]:
    """The largest groups of rows, in the order of their ranks, of which Nemenyi's test tells no two apart."""
    order = np.argsort(test.mean_ranks, kind="stable").tolist()
    groups: list[list[int]] = []
    for start in range(len(order)):
        end = start + 1
        while end < len(order) and test.posthoc[order[start], order[end]] >= SIGNIFICANT:
            end += 1
        if end - start > 1 and not (groups and set(order[start:end]) <= set(groups[-1])):
            groups.append(order[start:end])
    return groups


def _draw(axes: Any, test: Friedman, names: Sequence[str]) -> None:
    """Ranks as points on lines of their own, the best above, and bars of groups at the right."""
    order = np.argsort(test.mean_ranks, kind="stable").tolist()
    lines = {row: line for line, row in enumerate(order)}
    axes.scatter(test.mean_ranks[order], range(len(order)), s=18, color=class_color(5), zorder=2)
    axes.hlines(range(len(order)), 1, test.mean_ranks[order], color="#cccccc", linewidth=1, zorder=1)
    for number, group in enumerate(groups_of(test)):
        place = len(order) + 0.15 + 0.12 * number
        axes.vlines(place, lines[group[0]] - 0.25, lines[group[-1]] + 0.25, color="#333333", linewidth=3)
    axes.set_yticks(range(len(order)), [names[row] for row in order], fontsize="small")
    axes.set_xlim(1, len(order) + 1)
    axes.set_xticks(range(1, len(order) + 1))
    axes.tick_params(labelsize="small")
    axes.invert_yaxis()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
