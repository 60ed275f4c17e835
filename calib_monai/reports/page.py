"""The page: tables and figures of a report in one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from calib_monai.reports.answers import CAUTION, answers_of
from calib_monai.reports.doubts import dice_between_members, expected_dice
from calib_monai.reports.measured import Measured
from calib_monai.reports.results import DICE
from calib_monai.reports.runs import Run, worst_first
from calib_monai.reports.table import Table, transposed, unmarked

MOST_OPENING = 4  # runs whose slices open a section
OF_EXPERIMENTS = (
    (
        "dice_and_ece",
        "Dice against ECE",
        "The best methods lie at the upper left. Small marks are single trainings.",
    ),
    (
        "ece_of_patients",
        "ECE of each patient",
        "The box holds the middle half of the patients; its line is the median, its triangle the mean.",
    ),
    (
        "logits_of_classes",
        "Logits of each class",
        "Means over the test voxels of each class: of the logit of their class, and of the largest of their logits.",
    ),
    (
        "logits_over_epochs",
        "Logits over the epochs",
        "The same means on the validation cases after each epoch. Those of an overconfident network keep growing.",
    ),
)  # figures that an experiment alone has: name, heading, what they show
LEAST_WIDTH, MOST_WIDTH = 0.45, 0.6  # of a figure over its pixels; if narrower, letters were too small: it scrolls


@dataclass(frozen=True)
class Section:
    """The part of the page for one data set.

    Attributes:
        name: the name of the data set.
        runs: the runs that are compared.
        tables: the tables of results.
        measured: each measure in words, with the values of the runs where the tables are about these runs.
        notes: why values have no mark, and at last what the intervals mean.
        opening: the name of the case with which the section opens, and the PNG file of its slice.
        only_written: tables that stand in the Markdown file alone, because `measured` shows their values.
        figures: PNG files by name: "reliability"; "classes" if there are more than two; "logits" if they were kept;
            "doubts" if an expected Dice was measured; "curves", or one "curves_KIND" for each kind, if
            something was varied; "critical_differences" of an experiment with ranks; those of `OF_EXPERIMENTS`; and
            "reliability_REGION" of runs whose bins are of another region.
        cases: a PNG file for each case that is shown, by its name.
    """

    name: str
    runs: Sequence[Run]
    tables: Sequence[Table]
    figures: Mapping[str, bytes]
    cases: Mapping[str, bytes]
    measured: Sequence[Measured] = ()
    notes: Sequence[str] = ()
    opening: tuple[str, bytes] | None = None
    only_written: Sequence[Table] = ()

    @property
    def shown_tables(self) -> list[Table]:
        """The tables, their notes without the sentences that the page says before, in `notes`."""
        shown = []
        for table in self.tables:
            note = table.note
            for said in self.notes[:-1]:
                note = " ".join(note.replace(said, "").split())
            shown.append(replace(table, note=note))
        return shown

    @property
    def case_names(self) -> list[str]:
        """All cases, the one with the lowest Dice in the first run first."""
        return worst_first(self.runs)

    @property
    def every_case(self) -> Table:
        """A row for each case, in the order of `case_names`, with Dice, ECE and what tells doubts, of each run."""
        names = self.case_names
        header, columns = ["case"], [names]
        for run in self.runs:
            shown: dict[str, Callable[[str], float]] = {"Dice": run.dices.__getitem__, f"ECE, {run.region}": run.ece_of}
            if expected := expected_dice(run):
                shown["expected Dice"] = expected.__getitem__
            if between := dice_between_members(run):
                shown["Dice between members"] = between.__getitem__
            header += [f"{what}, {run.name}" for what in shown]
            columns += [[DICE.shown(of(case)) for case in names] for of in shown.values()]
        rows = transposed(columns)
        return Table("", header, rows, unmarked(rows))


class Beside(NamedTuple):
    """Networks on the test cases of their training and elsewhere: their table, and a PNG file of their reliability."""

    table: Table
    reliability: bytes


def html_page(sections: Sequence[Section], title: str, radar: bytes | None = None, beside: Beside | None = None) -> str:
    """A whole HTML document.

    Args:
        sections: a section for each data set.
        title: the title of the document.
        radar: PNG of the methods over the data sets.
        beside: networks inside and outside, if there are any.
    """
    environment = Environment(
        loader=PackageLoader("calib_monai.reports", package_path=""),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals |= {
        "source": _source,
        "width": _width,
        "OF_EXPERIMENTS": OF_EXPERIMENTS,
        "LEAST_WIDTH": LEAST_WIDTH,
        "MOST_WIDTH": MOST_WIDTH,
        "MOST_OPENING": MOST_OPENING,
    }
    page = environment.get_template("page.html")
    answers = answers_of([(part.name, part.runs) for part in sections])
    return page.render(sections=sections, answers=answers, caution=CAUTION, title=title, radar=radar, beside=beside)


def _source(png: bytes) -> str:
    """A figure as the `src` of an image that carries its own bytes."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _width(png: bytes) -> int:
    """The width of a figure in pixels, which a PNG file holds in its bytes 16 to 19."""
    return int.from_bytes(png[16:20], "big")
