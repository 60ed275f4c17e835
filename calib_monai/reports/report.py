"""The report: a page, its pictures and its tables, written to a folder."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from calib_monai.case_names import as_case_name
from calib_monai.reports.case_figure import case_figure
from calib_monai.reports.case_intervals import intervals_table
from calib_monai.reports.conformal import intervals_of_volumes, margins_of_structures
from calib_monai.reports.doubts import doubts_figure, doubts_table, with_expected
from calib_monai.reports.logits import logits_figure
from calib_monai.reports.measured import measured
from calib_monai.reports.opening_figure import opening_figure
from calib_monai.reports.outside import inside_and_outside, outside_table
from calib_monai.reports.page import MOST_OPENING, Beside, Section, html_page
from calib_monai.reports.radar import LEAST_DATASETS, radar_figure
from calib_monai.reports.reliability import class_reliability_figure, reliability_figure
from calib_monai.reports.results import marks_of, results_tables, shown_measures, why_unmarked
from calib_monai.reports.runs import Run, shared_cases, worst_first
from calib_monai.reports.structures import structures_table, volumes_table
from calib_monai.reports.table import Table
from calib_monai.whole_files import whole_file

DPI = 150
VECTOR = ("svg", "pdf")
STYLE: dict[Any, Any] = {"text.parse_math": False, "pdf.fonttype": 42, "svg.hashsalt": "calib_monai"}  # 42 is TrueType
UNDATED: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
WHERE_MEASURED = (volumes_table, intervals_of_volumes, margins_of_structures, doubts_table)  # tables of some runs

logger = logging.getLogger(__name__)


def write_report(runs: Sequence[Run], out: Path, cases: Sequence[str] | None = None) -> list[Path]:
    """Write the page, its tables and its figures, and return their paths.

    Args:
        runs: runs to compare, of one or more data sets.
        out: folder to write to.
        cases: cases to draw; by default the worst and the middle one of each data set.

    Raises:
        ValueError: runs of one data set that measured different cases or classes, or that kept no slice of a case.
    """
    for group in by_dataset(runs):
        shared_cases(group)
    unknown = sorted(set(cases or ()) - {case for run in runs for case in run.cases})
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no such case; there are {', '.join(list(runs[0].cases)[:5])} ...")
    sections = [
        section_of(
            group,
            [
                *results_tables(group),
                structures_table(group),
                *filter(None, [make(group) for make in WHERE_MEASURED]),
            ],
            cases,
        )
        for group in by_dataset(runs)
    ]
    both = inside_and_outside(runs)
    beside = Beside(outside_table(both), drawn(reliability_figure, both)) if both else None
    title = "Can these probabilities be believed?"
    return write_sections([_with_values(section) for section in sections], out, title, beside)


def write_sections(
    sections: Sequence[Section], out: Path, title: str, beside: Beside | None = None, *, vector: bool = False
) -> list[Path]:
    """Write the page of these sections, as in `write_report`, and return the paths.

    Args:
        sections: a section for each data set.
        out: folder to write to.
        title: title of the page.
        beside: networks inside and outside, which come first.
        vector: whether to write each figure as SVG and as PDF, too.
    """
    runs = [run for part in sections for run in part.runs]
    radar = drawn(radar_figure, runs) if len(sections) >= LEAST_DATASETS else None
    heads = [f"## {part.name}\n\n" if len(sections) > 1 else "" for part in sections]
    tables = [
        head + in_markdown([*part.tables, *part.only_written]) for head, part in zip(heads, sections, strict=True)
    ]
    tables = [*([in_markdown([beside.table])] if beside else []), *tables]
    page = html_page(sections, title, radar, beside)
    contents = {"report.html": page.encode(), "results.md": "\n".join(tables).encode()}
    for part in sections:
        prefix = f"{part.name}_" if len(sections) > 1 else ""
        opening = {"opening": part.opening[1]} if part.opening else {}
        for name, png in {**opening, **part.figures, **part.cases}.items():
            contents[_in_folder(f"{prefix}{name}", contents)] = png
    if beside:
        contents[_in_folder("inside_and_outside", contents)] = beside.reliability
    if radar:
        contents[_in_folder("radar", contents)] = radar
    write_pictures(contents, out, vector=vector)
    return [out / name for name in contents]


def write_pictures(contents: Mapping[str, bytes], out: Path, *, vector: bool) -> None:
    """Write files by their names; with `vector` each `Picture` also as SVG and as PDF."""
    for name, content in contents.items():
        _write_bytes(out / name, content)
        if vector and isinstance(content, Picture):
            for form in VECTOR:
                _write_bytes((out / name).with_suffix(f".{form}"), content.again(form))


def _write_bytes(path: Path, content: bytes) -> None:
    """Write a file, completely or not at all."""
    with whole_file(path) as file:
        file.write(content)


def _in_folder(name: str, taken: Container[str]) -> str:
    """The name of a picture's file, by the rule for names of cases; none that is taken."""
    file = f"{as_case_name(name)}.png"
    return _in_folder(f"{name}_", taken) if file in taken else file


def section_of(runs: Sequence[Run], tables: Sequence[Table], cases: Sequence[str] | None = None) -> Section:
    """The section of one data set; `cases` are drawn, by default the worst and the middle one.

    Raises:
        ValueError: runs that measured different cases, or that kept no slice of a case.
    """
    chosen = worst_and_middle(runs) if cases is None else [case for case in cases if case in runs[0].cases]
    figures = {"reliability": drawn(reliability_figure, runs)}
    if len(runs[0].class_names) > 2:  # noqa: PLR2004 - of two one is the mirror of the other
        figures["classes"] = drawn(class_reliability_figure, runs)
    if doubted := with_expected(runs):
        figures["doubts"] = drawn(doubts_figure, doubted)
    lacking = [str(run.folder) for run in runs if run.logits is None]
    if not lacking:
        figures["logits"] = drawn(logits_figure, runs)
    elif len(lacking) < len(runs):  # a score of probabilities has none
        logger.warning("logits are not shown, because there is no logits.json in %s", ", ".join(lacking))
    return Section(
        name=runs[0].dataset,
        runs=runs,
        tables=tables,
        figures=figures,
        cases={case: drawn(case_figure, runs, case) for case in chosen},
        measured=measured(runs, with_values=False),
        opening=_opening(runs, chosen),
    )


def _opening(runs: Sequence[Run], chosen: Sequence[str]) -> tuple[str, bytes] | None:
    """The chosen case whose Dice is nearest to the median by its place, and its figure of the first runs."""
    ordered = worst_first(runs)
    if not chosen:
        return None
    case = min(chosen, key=lambda name: abs(ordered.index(name) - len(ordered) // 2))
    return case, drawn(opening_figure, runs[:MOST_OPENING], case)


def _with_values(section: Section) -> Section:
    """The section whose sentences about the measures have the values of its runs, with intervals."""
    measures = shown_measures(section.runs)
    intervals = intervals_table(section.runs, measures)
    return replace(
        section,
        measured=measured(section.runs),
        notes=[*why_unmarked(measures, section.runs, marks_of(measures, section.runs)), intervals.note],
        only_written=[intervals],
    )


def in_markdown(tables: Sequence[Table], *, marked: bool = True) -> str:
    """Tables below each other in Markdown, with titles and notes; `marked` as in `Table.markdown`."""
    return "\n".join(
        (f"### {table.title}\n\n" if table.title else "")
        + table.markdown(marked=marked)
        + (f"\n{table.note}\n" if table.note else "")
        + "".join(f"\n* {line}" for line in table.listed)
        + ("\n" if table.listed else "")
        for table in tables
    )


def by_dataset(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs on each data set; a folder elsewhere is one of its own, even if it has the same name."""
    places = dict.fromkeys((run.dataset, run.test_dir) for run in runs)
    return [[run for run in runs if (run.dataset, run.test_dir) == place] for place in places]


def worst_and_middle(runs: Sequence[Run]) -> list[str]:
    """The cases with the lowest and the median Dice in the first run.

    Raises:
        ValueError: the runs measured different cases.
    """
    ordered = worst_first(runs)
    return list(dict.fromkeys([ordered[0], ordered[len(ordered) // 2]]))


class Picture(bytes):
    """The PNG file of a figure that can be drawn again as a vector graphic.

    Attributes:
        again: the file in one of the formats of `VECTOR`.
    """

    again: Callable[[str], bytes]


def drawn(make: Callable[..., Figure], *arguments: Any) -> bytes:
    """The figure that `make` makes of the arguments, as a PNG file; a `$` in a name is no formula.

    `Figure.savefig` would draw each figure twice.
    """
    buffer = io.BytesIO()
    with rc_context(STYLE):
        figure = make(*arguments)
        figure.set_dpi(DPI)
        FigureCanvasAgg(figure).print_png(buffer)  # type: ignore[no-untyped-call]
    picture = Picture(buffer.getvalue())
    picture.again = partial(_as_vector, make, arguments)
    return picture


def _as_vector(make: Callable[..., Figure], arguments: Sequence[Any], form: str) -> bytes:
    """The file of a figure in a format of `VECTOR`, the same bytes for the same arguments."""
    buffer = io.BytesIO()
    with rc_context(STYLE):
        make(*arguments).savefig(buffer, format=form, dpi=DPI, metadata=UNDATED[form])
    return buffer.getvalue()
