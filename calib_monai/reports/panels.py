"""Panels: axes in rows and columns at places in inches; matplotlib takes longer to find places than to draw them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calib_monai.reports.names import beside

LINE, LARGE = 0.18, 0.21  # height of a line of text and of a large one, all in inches
TICKS = 0.28  # height of the numbers below the last axis of a panel
EDGE = 0.1  # beside what stands at the edge of a figure
KEY = 0.22  # height of a line of a legend
LEAST_WIDTH = 6.5  # width of a figure, so that its legend fits


class Panels:
    """A figure with room for panels: each is a title above one or several axes, which stand below each other.

    Args:
        rows: number of rows of panels.
        columns: number of columns of panels.
        width: of all axes, in inches.
        heights: of the axes of a panel, from above, in inches.
        title: height of the title of a panel, in inches.
        below: height of the numbers and the name of the last axis of a panel, in inches.
        left: space for the names of vertical axes, in inches.
        between: space between columns, in inches.
        right: space beside the last column, in inches.
        head: space above the first row, in inches.
        keys: number of lines of the legend below all panels.
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        *,
        width: float,
        heights: Sequence[float],
        title: float,
        left: float,
        between: float = 0.35,
        right: float = 2 * EDGE,
        below: float = TICKS + LINE,
        head: float = EDGE,
        keys: int = 0,
    ) -> None:
        self.width, self.heights, self.head, self.title, self.between = width, heights, head, title, between
        self.row = title + sum(heights) + EDGE * (len(heights) - 1) + below
        needed = left + columns * width + (columns - 1) * between + right
        self.left = left + max(LEAST_WIDTH - needed, 0) / 2
        self.figure = Figure(figsize=(max(needed, LEAST_WIDTH), head + rows * self.row + keys * KEY + 2 * EDGE))

    def axes(self, row: int, column: int) -> list[Axes]:
        """New axes of the panel at a place, from above."""
        across, down = self.figure.get_size_inches()
        left, top = self.left + column * (self.width + self.between), self.head + row * self.row + self.title
        made = []
        for height in self.heights:
            top += height
            made.append(self.figure.add_axes((left / across, 1 - top / down, self.width / across, height / down)))
            top += EDGE
        return made

    def say_above(self, text: str) -> None:
        """Write a small line of text above all panels."""
        self.figure.suptitle(text, fontsize="small", y=1 - EDGE / 2 / self.figure.get_figheight(), va="top")

    def explain(self, handles: Sequence[Any], columns: int) -> None:
        """Explain signs in a legend below all panels."""
        self.figure.legend(handles=handles, loc="lower center", ncols=columns, frameon=False)


def explain_below(figure: Figure) -> None:
    """Explain what the first axes show in a legend below a figure of constrained layout."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    columns = beside(labels, figure.get_figwidth())
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)


def most_lines(texts: Iterable[str]) -> int:
    """The number of lines of the text that has most."""
    return max(text.count("\n") + 1 for text in texts)
