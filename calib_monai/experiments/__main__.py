"""Command line: `python -m calib_monai.experiments TRIAL [TRIAL ...] --out DIR`.

A trial is a folder, or all trials of an earlier table: its `trials.json`.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from calib_monai.command_lines import Parser
from calib_monai.experiments.comparison import Comparison, compare
from calib_monai.experiments.curves import curves_of
from calib_monai.experiments.elsewhere import by_place, elsewhere_table
from calib_monai.experiments.figures import figures_of
from calib_monai.experiments.grouping import check_trained_alike, rows_of
from calib_monai.experiments.kept_trials import FILE, numbers_of, read_trials, write_trials
from calib_monai.experiments.published import published_table, read_published
from calib_monai.experiments.results import experiment_results
from calib_monai.experiments.selection import read_selection, selection_table
from calib_monai.experiments.tables import experiment_tables
from calib_monai.experiments.trial_files import read_trial
from calib_monai.experiments.trials import Row, Trial
from calib_monai.measures import Measure
from calib_monai.path_options import check_writable
from calib_monai.refusals import tell_in_one_line
from calib_monai.reports.critical_differences import FIGURE as CRITICAL_DIFFERENCES
from calib_monai.reports.critical_differences import critical_differences_figure
from calib_monai.reports.page import Section
from calib_monai.reports.reliability import reliability_figure
from calib_monai.reports.report import drawn, section_of, worst_and_middle, write_sections
from calib_monai.reports.results import shown_measures
from calib_monai.reports.table import Table
from calib_monai.whole_files import write_json, write_whole

MOST_DRAWN = 12  # diagrams; more are too small to be read


def parser() -> Parser:
    """The options of the command line."""
    made = Parser(
        prog="python -m calib_monai.experiments", description="Compare the trials of an experiment in tables."
    )
    made.add_argument(
        "trials", nargs="+", type=Path, metavar="TRIAL", help=f"NETWORK/METHOD/seedS_foldF/eval... or {FILE}"
    )
    made.add_argument("--out", type=Path, required=True, help="folder to write to")
    made.add_argument("--title", default="Experiment", help="title of the page")
    made.add_argument(
        "--axis", help="draw curves over the number at the end of the trials' names, with this axis title"
    )
    made.add_argument("--plain", type=float, help="number for trials whose name has none")
    made.add_argument("--selected", type=Path, help="JSON file of a choice on validation cases (selection --out)")
    made.add_argument("--published", type=Path, help="JSON file of published tables to compare with")
    made.add_argument("--cases", nargs="+", help="cases to draw; by default the worst and the middle one")
    made.add_argument("--vector", action="store_true", help="write the figures as SVG and PDF, too")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, after the tables are written."""
    given = parser().parse_args(arguments)
    check_writable([str(given.out)])
    check_files([path for path in given.trials if path.is_file()], given.out, given.cases)
    published = read_published(given.published) if given.published else []
    selection = read_selection(given.selected) if given.selected else {}
    trials = trials_at(given.trials)
    check_trained_alike(trials)
    rows, *elsewhere = map(rows_of, by_place(trials))
    check_cases(given.cases or [], [rows, *elsewhere])
    measures = shown_measures([row.run for row in rows])
    compared = compare(rows, measures)
    tables = experiment_tables(rows, measures, compared)
    tables += [selection_table(selection, rows)] if selection else []
    tables += filter(None, [published_table(one, rows, measures) for one in published])
    tables += [elsewhere_table(rows, elsewhere, measures)] if elsewhere else []
    curves = curves_of(rows, measures, given.axis, given.plain) if given.axis else {}
    section = section_of_rows(rows, tables, measures, compared, given.cases)
    sections = [replace(section, figures={**section.figures, **curves})]
    found = {"title": given.title, **experiment_results(rows, measures, compared)}
    found |= {"selection": selection} if selection else {}
    for others in elsewhere:
        of_others = shown_measures([row.run for row in others])
        tested = compare(others, of_others)
        of_place = experiment_tables(others, of_others, tested)
        sections.append(section_of_rows(others, of_place, of_others, tested, given.cases))
        place = others[0].trials[0].evaluation
        found.setdefault("elsewhere", {})[place] = experiment_results(others, of_others, tested)
    write_sections(sections, given.out, given.title, vector=given.vector)
    write_numbers(given.out, sections, found, trials)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without the sign of a deviation
    sys.stdout.write(f"\n{given.title}\n\n{tables[0].markdown(marked=False)}\n{given.out / 'report.html'}\n")
    return 0


def write_numbers(out: Path, sections: Sequence[Section], found: Mapping[str, Any], trials: Sequence[Trial]) -> None:
    """Write the tables in LaTeX, all results as JSON, and the trials, from which the tables can be made again."""
    titled = [
        replace(table, title=f"{part.name}: {table.title}" if number else table.title)
        for number, part in enumerate(sections)
        for table in part.tables
    ]
    write_whole(out / "results.tex", "\n".join(table.latex() for table in titled))
    write_json(out / "results.json", found)
    write_trials(out / FILE, trials)


def check_files(files: Sequence[Path], out: Path, cases: Sequence[str] | None) -> None:
    """Raise ValueError if the table of a file would be lost, or cases shall be drawn, of which files keep no slices."""
    if used := [path for path in files if path.resolve().parent == out.resolve()]:
        raise ValueError(f"--out {out} is the folder of {used[0]}, whose table would be lost; choose another")
    if cases and files:
        raise ValueError(f"--cases: {files[0]} keeps no slices of cases, so they cannot be drawn")


def trials_at(paths: Sequence[Path]) -> list[Trial]:
    """The trials in these folders and files. A trial that two files share counts once.

    Raises:
        ValueError: as `read_trial` and `read_trials`.
    """
    of_folders = [read_trial(path) for path in paths if not path.is_file()]
    different: dict[str, Trial] = {}
    for trial in (one for path in paths if path.is_file() for one in read_trials(path)):
        different.setdefault(numbers_of(trial), trial)
    return [*of_folders, *different.values()]


def check_cases(cases: Sequence[str], groups: Sequence[Sequence[Row]]) -> None:
    """Raise ValueError if a case that shall be drawn was not measured, on any of the data sets."""
    known = [case for rows in groups for case in rows[0].cases]
    for case in cases:
        if case not in known:
            raise ValueError(f"there is no case {case} to draw; there are {', '.join(known[:5])} ...")


def section_of_rows(
    rows: Sequence[Row],
    tables: Sequence[Table],
    measures: Mapping[str, Measure],
    compared: Comparison,
    cases: Sequence[str] | None = None,
) -> Section:
    """The section of rows on one data set, with a diagram of their ranks if they have been ranked.

    `cases` are drawn with the maps of each row, by default the worst and the middle one. Rows from a file have no maps.
    """
    shown = [row.run for row in drawn_rows(rows)]
    by_default = (
        [] if any(path.is_file() for run in shown for path in run.folder_of.values()) else worst_and_middle(shown)
    )
    section = section_of(shown, tables, cases or by_default)
    section = replace(
        section, figures={**section.figures, **figures_of(drawn_rows(rows), measures), **other_regions(rows)}
    )
    tests = {measures[name].title: compared.friedman[name] for name in compared.ranked if name in compared.friedman}
    if not tests:
        return section
    diagram = drawn(critical_differences_figure, tests, [row.name for row in rows])
    return replace(section, figures={**section.figures, CRITICAL_DIFFERENCES: diagram})


def other_regions(rows: Sequence[Row]) -> dict[str, bytes]:
    """Reliability diagrams of the rows whose bins are of another region than the first, as of the boundary."""
    first = rows[0].trials[0].run.region
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.trials[0].run.region, []).append(row)
    return {
        f"reliability_{region}": drawn(reliability_figure, [row.run for row in group[:MOST_DRAWN]])
        for region, group in groups.items()
        if region != first
    }


def drawn_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows whose diagrams are shown: those of one region, or of many the first that were evaluated plainly."""
    alike = [row for row in rows if row.trials[0].run.region == rows[0].trials[0].run.region]
    plain = [row for row in alike if not row.trials[0].evaluation]
    return alike if len(alike) <= MOST_DRAWN else (plain or alike)[:MOST_DRAWN]


if __name__ == "__main__":
    tell_in_one_line()
    raise SystemExit(main())
