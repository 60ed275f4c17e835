"""Tables: cells with the best of each column marked, as Markdown and LaTeX; page.html shows them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import inf, isnan

from calib_monai.measures import Measure

BEST, SECOND, NOTABLE = "best", "second", "notable"
PAPERS = "papers"  # kind of the columns whose region depends on the label
IN_MARKDOWN = {BEST: "**{}**", SECOND: "*{}*", NOTABLE: "**{}**"}
IN_LATEX = {BEST: r"\textbf{{{}}}", SECOND: r"\underline{{{}}}", NOTABLE: r"\textbf{{{}}}"}
OF_LATEX = {
    **{letter: rf"\{letter}" for letter in "_%&#${}"},
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "±": r"$\pm$",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "[": "{[}",  # the end of the line above would take it, and a star, for its own
    "*": "{*}",
    '"': r"\symbol{34}",  # a command in German texts
}
LIGATURES = re.compile(r"(?<=[-'`,])(?=[-'`,])|(?<=[?!])(?=`)")  # between two letters that would become another sign


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: the title above the table, or "".
        header: the header of each column.
        cells: the cells row by row, the name of the row first.
        marks: for each cell `BEST`, `SECOND`, `NOTABLE` (which the note explains) or "".
        note: an explanation below the table.
        kinds: for each column `PAPERS` or ""; the page shows `PAPERS` in gray. Empty if all are "".
        row_kinds: the same for each row.
        listed: lines of a list below the note.
    """

    title: str
    header: Sequence[str]
    cells: Sequence[Sequence[str]]
    marks: Sequence[Sequence[str]]
    note: str = ""
    kinds: Sequence[str] = ()
    row_kinds: Sequence[str] = ()
    listed: Sequence[str] = ()

    @property
    def looks(self) -> set[str]:
        """Every mark and every kind that occurs."""
        return {*chain.from_iterable(self.marks), *self.kinds, *self.row_kinds}

    def markdown(self, *, marked: bool = True) -> str:
        """The table in Markdown, with columns aligned. If `marked`, the best is bold and the second best italic."""
        rows = [[_markdown(cell) for cell in self.header], *self._styled(IN_MARKDOWN if marked else {}, _markdown)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(self.header))]
        first, *others = [
            f"| {row[0]:<{widths[0]}} | "
            + " | ".join(f"{c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True))
            + " |"
            for row in rows
        ]
        rule = (
            "| " + "-" * max(3, widths[0]) + " | " + " | ".join("-" * (width - 1) + ":" for width in widths[1:]) + " |"
        )
        return "\n".join([first, rule, *others]) + "\n"

    def latex(self) -> str:
        """A tabular for the package booktabs; the best bold, the second best underlined."""
        first, *others = [
            " & ".join(row) + r" \\"
            for row in [[_latex(cell) for cell in self.header], *self._styled(IN_LATEX, _latex)]
        ]
        begin = rf"\begin{{tabular}}{{l{'r' * (len(self.header) - 1)}}}"
        lines = [begin, r"\toprule", first, r"\midrule", *others, r"\bottomrule", r"\end{tabular}"]
        return "\n".join(([f"% {_latex(self.title)}"] if self.title else []) + lines) + "\n"

    def _styled(self, styles: Mapping[str, str], text: Callable[[str], str]) -> list[list[str]]:
        """The cells; a cell with a mark has the style of its mark."""
        return [
            [styles.get(mark, "{}").format(text(cell)) for cell, mark in zip(row, marks, strict=True)]
            for row, marks in zip(self.cells, self.marks, strict=True)
        ]


def kinds_of(measures: Iterable[Measure]) -> list[str]:
    """The kind of each measure's column or row: `PAPERS` where its region depends on the label."""
    return [PAPERS if measure.proper is False else "" for measure in measures]


def unmarked(cells: Sequence[Sequence[str]]) -> list[list[str]]:
    """Empty marks for a table in which no value is better than another."""
    return [[""] * len(row) for row in cells]


def best_marks(values: Sequence[float], measure: Measure) -> list[str]:
    """The mark of each value: `BEST`, `SECOND` if there are three or more values, or "".

    Values are compared as they are shown. Equal values share a mark; a missing value (NaN) has none. If all values are
    equal, or if it is not known which direction is better, no value has a mark.
    """
    if measure.more_is_better is None:
        return [""] * len(values)
    sign = -1 if measure.more_is_better else 1
    costs = [inf if isnan(value) else sign * value for value in measure.rounded(values)]
    marks = dict(enumerate((BEST, SECOND)[: sum(cost < inf for cost in costs) - 1], 1))
    places = [1 + sum(other < cost for other in costs) for cost in costs]
    some = len(set(costs) - {inf}) > 1
    return [marks.get(place, "") if some and cost < inf else "" for place, cost in zip(places, costs, strict=True)]


def transposed(columns: Sequence[Sequence[str]]) -> list[list[str]]:
    """Columns turned into rows."""
    return [list(row) for row in zip(*columns, strict=True)]


def _markdown(text: str) -> str:
    """Text with the characters escaped that would end a cell or style it, in one line."""
    return re.sub(r"([\\|*`])|<(?=[^\s])", lambda found: f"\\{found[0]}", " ".join(text.split()))


def _latex(text: str) -> str:
    """Text with the special characters of LaTeX escaped, and "?" for those that are no text.

    Letters that are not Latin need XeLaTeX or LuaLaTeX.
    """
    apart = "".join(OF_LATEX.get(letter, letter if letter.isprintable() else "?") for letter in " ".join(text.split()))
    return LIGATURES.sub("{}", apart)
