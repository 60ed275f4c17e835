"""Writes docs/papers.md: tables and figures of the papers, the experiment of each, what was run here, printed values.

`scripts/parts/papers.md` is its text, `scripts/parts/papers.yaml` has the rows. Budgets and values come from
`results/`, printed values from `workflow/published.json`. `--check` writes nothing and fails if the page
is not current.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml  # type: ignore[import-untyped]
from bundle_parts import PARTS, REPOSITORY, shown
from jinja2 import Environment, StrictUndefined
from written_pages import write_or_check

from calib_monai.experiments.published import own_measure
from calib_monai.refusals import tell_in_one_line

PAGE = REPOSITORY / "docs" / "papers.md"
ROWS = PARTS / "papers.yaml"
WORKFLOW, RESULTS = REPOSITORY / "workflow", REPOSITORY / "results"
HEADER = "| | shows | experiment | run here | not yet |\n| --- | --- | --- | --- | --- |\n"
RUNS = f"| experiment | data | methods | epochs | seeds | folds | test cases |\n|{' --- |' * 7}\n"
KEYS = {"shows", "experiment", "settings", "printed", "missing"}

Row = dict[str, str]


def main(given: list[str] | None = None) -> None:
    """Write the page, or compare it."""
    write_or_check(PAGE, page, __file__, __doc__ or "", given)


def page() -> str:
    """The page."""
    papers = read_papers()
    rows = "\n".join(
        f"## {paper}\n\n{HEADER}{''.join(_line(name, row) for name, row in of.items())}" for paper, of in papers.items()
    )
    beside = "\n".join(dict.fromkeys(table for of in papers.values() for row in of.values() for table in _beside(row)))
    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701 - Markdown
    experiments = dict.fromkeys(row["experiment"] for of in papers.values() for row in of.values())
    runs = RUNS + "".join(_run(name, *found) for name in experiments for found in _measured(name))
    template = environment.from_string((PARTS / PAGE.name).read_text(encoding="utf-8"))
    text = template.render(rows=rows, runs=runs, beside=beside)
    return text.rstrip("\n") + "\n"


@cache
def read_papers() -> dict[str, dict[str, Row]]:
    """The tables and figures of each paper, by their names.

    Raises:
        ValueError: an unknown key, no text of what is shown, an unknown experiment, or a printed table that is unknown.
    """
    experiments = yaml.safe_load((WORKFLOW / "experiments.yaml").read_text(encoding="utf-8"))
    papers: dict[str, dict[str, Row]] = yaml.safe_load(ROWS.read_text(encoding="utf-8"))
    sources = {table["source"] for table in _published()}
    for paper, rows in papers.items():
        for name, row in rows.items():
            place = f"{shown(ROWS)}, {paper}, {name}"
            if not {"shows", "experiment"} <= row.keys() <= KEYS:
                raise ValueError(
                    f"{place} has {', '.join(row)}; it must have shows and experiment, and may have others"
                )
            if row["experiment"] not in experiments:
                raise ValueError(f"{place}: {shown(WORKFLOW)}/experiments.yaml has no {row['experiment']}")
            if row.get("printed", next(iter(sources))) not in sources:
                raise ValueError(f"{place}: {shown(WORKFLOW)}/published.json has no source {row['printed']!r}")
    return papers


def _line(name: str, row: Row) -> str:
    """A line of a table."""
    settings = f" with `{row['settings']}`" if "settings" in row else ""
    data = ", ".join(_link(*found) for found in _measured(row["experiment"]))
    cells = [name, row["shows"], f"`{row['experiment']}`{settings}", data or "nothing", row.get("missing", "")]
    return f"| {' | '.join(cells)} |\n"


def _link(folder: str, measured: dict[str, Any]) -> str:
    """The name of a data set, which leads to its results."""
    return f"[{measured['dataset']}](../{folder}/results.md)"


def _run(experiment: str, folder: str, measured: dict[str, Any]) -> str:
    """A line of the table of what was run: an experiment on a data set, with its methods and its budget."""
    methods = dict.fromkeys(f"`{name.split()[0]}`" for name in measured["rows"])
    epochs = dict.fromkeys(row["options"]["--epochs"] for row in measured["rows"].values())
    cells = [
        f"`{experiment}`",
        _link(folder, measured),
        *(", ".join(map(str, each)) for each in (methods, epochs, measured["seeds"], measured["folds"])),
        str(measured["num_cases"]),
    ]
    return f"| {' | '.join(cells)} |\n"


def _measured(experiment: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The results of an experiment on each data set, with their folders."""
    for path in sorted(RESULTS.glob(f"*/{experiment}/results.json")):
        yield shown(path.parent), json.loads(path.read_text(encoding="utf-8"))


def _beside(row: Row) -> Iterator[str]:
    """The printed values of a row beside ours, a table for each data set that both have."""
    for _, measured in _measured(row["experiment"]):
        for table in _published():
            names = [name for name in table["rows"] if name in measured["rows"]]
            if table["source"] == row.get("printed") and table["dataset"] == measured["dataset"] and names:
                yield _table(table, measured, names)


def _table(table: dict[str, Any], measured: dict[str, Any], names: list[str]) -> str:
    """The printed values of some methods beside ours."""
    known = [
        (place, own)
        for place, key in enumerate(table["measures"])
        if (own := own_measure(key, measured["measures"])) is not None
    ]
    titles = [
        f"{measured['measures'][own]['title']}, printed{'' if own == table['measures'][place] else ' (voxels)'}"
        for place, own in known
    ]
    structure = table.get("structure", "")
    of = ", ".join(filter(None, [table["source"].rpartition(", ")[2], table["dataset"], structure]))
    lines = [
        f"### {table['source'].partition(' (')[0]}, {of}",
        "",
        "| | " + " | ".join(f"{title} | here" for title in titles) + " |",
        "| --- " * (2 * len(known) + 1) + "|",
    ]
    for name in names:
        means = measured["rows"][name]["measures"]
        ours = [means[own]["structures"].get(structure) if structure else means[own]["mean"] for _, own in known]
        printed = [f"{table['rows'][name][place]:.3f}" for place, _ in known]
        cells = [
            f"{theirs} | {'-' if own is None else f'{own:.3f}'}" for theirs, own in zip(printed, ours, strict=True)
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


@cache
def _published() -> list[dict[str, Any]]:
    """The tables that papers printed."""
    tables: list[dict[str, Any]] = json.loads((WORKFLOW / "published.json").read_text(encoding="utf-8"))
    return tables


if __name__ == "__main__":
    tell_in_one_line()
    main()
