"""Command line: `python -m calib_monai.experiments.joined RESULTS [RESULTS ...] --out DIR`.

Tables of one experiment whose trainings ran apart, as on several machines, become one. They are made from the values of
the cases in each `results.json`. What needs bins, logits or slices is not drawn again.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from calib_monai.command_lines import Parser
from calib_monai.experiments.comparison import compare
from calib_monai.experiments.figures import figures_of
from calib_monai.experiments.kept_trials import Conditions, kept_trials, read_results_file
from calib_monai.experiments.results import distinct, experiment_results
from calib_monai.experiments.tables import experiment_tables
from calib_monai.experiments.trials import Row, Trial, rows_of
from calib_monai.refusals import tell_in_one_line
from calib_monai.reports.critical_differences import FIGURE, critical_differences_figure
from calib_monai.reports.report import drawn, in_markdown, write_pictures
from calib_monai.reports.results import shown_measures
from calib_monai.whole_files import write_json, write_whole

IRRELEVANT = ("--figures", "--num_workers")  # options that change no value

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, after the tables are written."""
    parser = Parser(
        prog="python -m calib_monai.experiments.joined",
        description="Make one table of several, of other seeds or rows.",
    )
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS", help="results.json of an experiment")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--title", default="Experiment", help="what was asked")
    parser.add_argument("--vector", action="store_true", help="write the figures as SVG and PDF, too")
    given = parser.parse_args(arguments)
    contents = {path: read_results_file(path) for path in given.results}
    trials = [trial for path, content in contents.items() for trial in kept_trials(path, content)]
    rows = rows_of(each_once(with_common_measures(trials)))
    measures = shown_measures([row.run for row in rows])
    compared = compare(rows, measures)
    tables = experiment_tables(rows, measures, compared)
    conditions = conditions_of([content.conditions for content in contents.values()], rows)
    figures = figures_of(rows, measures)
    tests = {measures[name].title: compared.friedman[name] for name in compared.ranked if name in compared.friedman}
    if tests:
        figures[FIGURE] = drawn(critical_differences_figure, tests, [row.name for row in rows])
    write_pictures({f"{name}.png": png for name, png in figures.items()}, given.out, vector=given.vector)
    write_whole(given.out / "results.md", in_markdown(tables))
    write_whole(given.out / "results.tex", "\n".join(table.latex() for table in tables))
    found = {"title": given.title, **experiment_results(rows, measures, compared, conditions)}
    write_json(given.out / "results.json", found)
    sys.stdout.write(f"\n{given.title}\n\n{tables[0].markdown(marked=False)}\n{given.out / 'results.md'}\n")
    return 0


def with_common_measures(trials: Sequence[Trial]) -> list[Trial]:
    """The trials with the measures that all of them have; a warning names the others.

    Raises:
        ValueError: they have no measure in common.
    """
    names = {name: name for trial in trials for name in trial.run.metrics}
    common = [name for name in names if all(name in trial.run.metrics for trial in trials)]
    if not common:
        raise ValueError(f"the tables share no measure; they have {', '.join(names)}")
    if left_out := [name for name in names if name not in common]:
        logger.warning("not in all tables, and left out: %s", ", ".join(left_out))
    return [
        replace(
            trial,
            run=replace(
                trial.run,
                metrics={name: trial.run.metrics[name] for name in common},
                cases={case: {name: of[name] for name in common} for case, of in trial.run.cases.items()},
            ),
        )
        for trial in trials
    ]


def each_once(trials: Sequence[Trial]) -> list[Trial]:
    """The trials without those that are in two tables with the same values.

    Raises:
        ValueError: a training has other values in another table, or trainings of a method had other options.
    """
    seen: dict[tuple[Any, ...], Trial] = {}
    options: dict[str, Trial] = {}
    for trial in trials:
        other = options.setdefault(trial.method, trial)
        if differing := _differing_options(trial, other):
            raise ValueError(
                f"{trial.method} was trained with other options in {other.run.folder} than in {trial.run.folder}: "
                f"{', '.join(differing)}"
            )
        key = (trial.method, trial.network, trial.evaluation, trial.seed, trial.fold)
        if _values(before := seen.setdefault(key, trial)) != _values(trial):
            raise ValueError(
                f"{before.run.folder} and {trial.run.folder} have {trial.method} with seed {trial.seed} and fold "
                f"{trial.fold}, with other values; a training counts once, so leave one of them out"
            )
    return list(seen.values())


def _differing_options(trial: Trial, other: Trial) -> list[str]:
    """The options in which two trials differ, with their values."""
    one, two = (of.records["train"]["options"] for of in (trial, other))
    keys = [key for key in {**two, **one} if key not in IRRELEVANT and one.get(key) != two.get(key)]
    return [f"{key} {two.get(key, 'not given')} and {one.get(key, 'not given')}" for key in keys]


def _values(trial: Trial) -> dict[str, list[Any]]:
    """The values of each case, equal where both are missing."""
    return {case: np.nan_to_num(list(of.values()), nan=-1.0).tolist() for case, of in trial.run.cases.items()}


def conditions_of(conditions: Sequence[Conditions], rows: Sequence[Row]) -> dict[str, Any]:
    """The conditions of all trainings: all values that occurred, and the hours if no training was resumed."""
    trials = [trial for row in rows for trial in row.trials]
    trainings = {(one.method, one.network, one.seed, one.fold): one.records["train"] for one in trials}
    known = not any(record["resumed"] for record in trainings.values())
    return {
        name: distinct([value for one in conditions for value in getattr(one, name)])
        for name in ("versions", "commits", "hardware", "data")
    } | {
        "started": min(one.started for one in conditions),
        "train_hours": round(sum(record["seconds"] for record in trainings.values()) / 3600, 2) if known else None,
    }


if __name__ == "__main__":
    tell_in_one_line()
    raise SystemExit(main())
