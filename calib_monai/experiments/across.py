"""Command line: `python -m calib_monai.experiments.across RESULTS.json ... --out DIR` ranks rows over data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import ROUND_HALF_UP, Decimal
from math import isnan
from pathlib import Path

from calib_monai.command_lines import Parser
from calib_monai.experiments.across_ranks import (
    RANKINGS,
    OnDataset,
    Ranks,
    from_published,
    in_all,
    left_out,
    ranks_across,
    read_results,
    rows_in_all,
)
from calib_monai.experiments.published import read_published
from calib_monai.experiments.results import without_nan
from calib_monai.measures import NOT_MEASURED, Measure
from calib_monai.path_options import check_writable
from calib_monai.refusals import tell_in_one_line
from calib_monai.reports.bars import Panel, bars_figure
from calib_monai.reports.radar import LEAST_DATASETS, radars_figure
from calib_monai.reports.report import drawn, in_markdown, write_pictures
from calib_monai.reports.table import Table, best_marks, transposed, unmarked
from calib_monai.whole_files import write_json, write_whole

RADARS = {"dice_foreground": False, "ece_foreground": True, "ece_plausible": True}  # whether 1 minus it is drawn
ABOUT_P = "Measures of one data set are not independent, so p is too small: it describes, and proves nothing."
ABOUT = (
    "1 is the best rank. Sum of ranks: of the mean of each row, over data sets and measures; equal means share the "
    "mean of their ranks. Friedman rank: the mean of these ranks, but equal means share the best of them, as CRaC "
    "prints it. Mean-case-rank: in each case, averaged over cases, measures and data sets."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, after tables and figures are written.

    Raises:
        ValueError: files that cannot be read, or nothing that can be ranked.
    """
    parser = Parser(
        prog="python -m calib_monai.experiments.across", description="Rank the rows of an experiment over data sets."
    )
    parser.add_argument("results", nargs="*", type=Path, metavar="RESULTS", help="results.json of an experiment")
    parser.add_argument("--published", type=Path, help="JSON file of published tables to rank")
    parser.add_argument("--source", nargs="+", default=[], help="which of the published tables to rank")
    parser.add_argument("--rows", nargs="+", help="the rows to rank; all by default")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--title", default="Ranks over data sets", help="title of the page")
    parser.add_argument("--vector", action="store_true", help="write the figures as SVG and PDF, too")
    given = parser.parse_args(arguments)
    check_writable([str(given.out)])
    if given.source and not given.published:
        raise ValueError(
            f"--source is {'; '.join(given.source)}, and nothing published is given: give --published, too"
        )
    found = [read_results(path) for path in given.results]
    if given.published:
        tables = read_published(given.published)
        unknown = sorted(set(given.source) - {table.source for table in tables})
        if unknown or not given.source:
            sources = "; ".join(dict.fromkeys(table.source for table in tables))
            raise ValueError(f"--source is {'; '.join(unknown) or 'missing'}; {given.published} has {sources}")
        found += from_published([table for table in tables if table.source in given.source])
    chosen = [one.of_rows(given.rows) if given.rows else one for one in found]
    write_across(chosen, given.out, given.title, vector=given.vector)
    return 0


def write_across(results: Sequence[OnDataset], out: Path, title: str, *, vector: bool = False) -> None:
    """Write the tables as Markdown and LaTeX, the ranks as JSON, the ranks as bars, and radars of 3 or more data sets.

    Raises:
        ValueError: as `rows_in_all`, or results that share nothing that is ranked or drawn.
    """
    rows = rows_in_all(results)
    ranked = {name: ranks for name, of in RANKINGS.items() if (ranks := ranks_across(results, of))}
    radars = radar_panels(results, rows) if len(results) >= LEAST_DATASETS else {}
    unranked = [name for name, of in RANKINGS.items() if name not in ranked and in_all(results, of)]
    if not ranked and not radars and not unranked:
        wanted = "; ".join(", ".join(of) for of in RANKINGS.values())
        raise ValueError(f"the data sets share the measures of no ranking; one is over {wanted}")
    tables = [ranks_table(name, ranks, results) for name, ranks in ranked.items()]
    tables += [means_table(results, rows, measure) for measure in measures_in_all(results)]
    figures = {"ranks": drawn(bars_figure, rank_panels(ranked))} if ranked else {}
    if radars:
        figures["radar"] = drawn(radars_figure, radars, [one.dataset for one in results])
    write_pictures({f"{name}.png": png for name, png in figures.items()}, out, vector=vector)
    lacking = sorted({row for one in results for row in one.means} - set(rows))
    without = f"Not on all data sets, and left out: {', '.join(lacking)}.\n\n" if lacking else ""
    for name in unranked:
        told = about_left_out(results, left_out(results, RANKINGS[name]))
        without += f"No ranks, {name}: no measure remains. {told}\n\n"
    write_whole(out / "across.md", f"# {title}\n\n{without}{in_markdown(tables)}")
    write_whole(out / "across.tex", "\n".join(table.latex() for table in tables))
    content = {"title": title, "left_out": lacking, "rankings": {name: asdict(of) for name, of in ranked.items()}}
    write_json(out / "across.json", without_nan(content))


def ranks_table(name: str, ranks: Ranks, results: Sequence[OnDataset]) -> Table:
    """The ranks of each row over all data sets and measures."""
    header = ["", "sum of ranks", "Friedman rank", "mean-case-rank"]
    columns = [ranks.sums, ranks.friedman_ranks, ranks.case_ranks]
    cells = transposed([ranks.rows, *([rank_shown(value) for value in column] for column in columns)])
    marks = transposed([[""] * len(ranks.rows), *(best_marks(column, Measure("rank", 2)) for column in columns)])
    of_datasets = {one.dataset: one.measures for one in results}
    titles = dict.fromkeys(of_datasets[dataset][measure].title for dataset, measure in ranks.blocks)
    over = f"Over {', '.join(of_datasets)}, by {'; '.join(titles)}: {len(ranks.blocks)} columns."
    tested = "" if isnan(ranks.p_value) else f" Friedman's test over these columns: p = {ranks.p_value:.3g}. {ABOUT_P}"
    without = f" {about_left_out(results, ranks.left_out)}" if ranks.left_out else ""
    return Table(f"Ranks, {name}", header, cells, marks, f"{over}{without}{tested} {ABOUT}")


def about_left_out(results: Sequence[OnDataset], left: Mapping[str, str]) -> str:
    """Which measures are left out of a ranking, and why; "" for none."""
    alike: dict[str, list[str]] = {}
    for measure, why in left.items():
        alike.setdefault(why, []).append(results[0].measures[results[0].name_of(measure) or ""].title)
    return " ".join(f"Left out: {'; '.join(titles)} ({why})." for why, titles in alike.items())


def rank_shown(value: float) -> str:
    """A rank with two decimals, whose halves are rounded up, as papers round.

    Examples:
        >>> rank_shown(3.125)
        '3.13'
    """
    exact = Decimal(repr(round(value, 9))) if not isnan(value) else None
    return NOT_MEASURED if exact is None else str(exact.quantize(Decimal("0.01"), ROUND_HALF_UP))


def means_table(results: Sequence[OnDataset], rows: Sequence[str], measure: str) -> Table:
    """The means of each row by one measure, a column for each data set."""
    columns = [[one.value(row, measure) for row in rows] for one in results]
    measures = [one.measures[name] for one in results if (name := one.name_of(measure))]
    shown = [[of.shown(value) for value in column] for of, column in zip(measures, columns, strict=True)]
    cells = transposed([list(rows), *shown])
    titles = list(dict.fromkeys(of.title for of in measures))
    named = [
        f"{one.dataset}: {of.title}" if len(titles) > 1 else one.dataset
        for one, of in zip(results, measures, strict=True)
    ]
    return Table(" or ".join(titles), ["", *named], cells, unmarked(cells))


def measures_in_all(results: Sequence[OnDataset]) -> list[str]:
    """The measures of the rankings that every data set has."""
    names = dict.fromkeys(name for of in RANKINGS.values() for name in of)
    return [name for name in names if in_all(results, [name])]


def rank_panels(ranked: Mapping[str, Ranks]) -> list[Panel]:
    """Bars of the sums of ranks, and of the mean-case-ranks where cases are known, for each ranking."""
    panels = []
    for name, ranks in ranked.items():
        panels.append(Panel(f"sum of ranks,\n{name}", {"": ranks.sums}, ranks.rows))
        if not any(map(isnan, ranks.case_ranks)):
            panels.append(Panel(f"mean-case-rank,\n{name}", {"": ranks.case_ranks}, ranks.rows))
    return panels


def radar_panels(results: Sequence[OnDataset], rows: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    """For `radars_figure`, Dice and 1 - ECE of each row on each data set."""
    panels = {}
    for measure, turned in RADARS.items():
        if in_all(results, [measure]) and not left_out(results, [measure]):
            title = results[0].measures[measure].title
            panels[f"1 - {title}" if turned else title] = {
                row: [1 - value if turned else value for value in (one.value(row, measure) for one in results)]
                for row in rows
            }
    return panels


if __name__ == "__main__":
    tell_in_one_line()
    raise SystemExit(main())
