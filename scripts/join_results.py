"""Join the trials of several tables of the workflow, so that each method has the seeds of all of them.

    python scripts/join_results.py results/hippocampus/{volumes,volumes_seeds,volumes_seeds_1_2} --reference dice_ce

prints, in Markdown, the values of each seed, and the difference of each method from the reference. It needs only the
`results.json` of each table. `python -m calib_monai.experiments` makes whole tables, from `trials.json`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from calib_monai.command_lines import Parser
from calib_monai.estimates import Estimate, Floats, difference
from calib_monai.experiments.tables import p_value_cell
from calib_monai.intervals import nanmean
from calib_monai.measures import measure_of
from calib_monai.ranks import holm
from calib_monai.refusals import tell_in_one_line
from calib_monai.stored import Stored, read_stored

MEASURES = {name: measure_of(name) for name in ("dice_foreground", "nll_all", "ece_foreground")}

Cases = dict[str, dict[str, float | None]]
"""The values of each case, by measure."""

Trials = dict[str, dict[int, Cases]]
"""The cases, by method and seed."""


class Trial(Stored):
    """A training with its seed, fold and the values of each case."""

    seed: int
    fold: int
    cases: Cases


class Row(Stored):
    """The trials of a method, and the options of its trainings."""

    options: dict[str, str]
    trials: list[Trial]


class Table(Stored):
    """`results.json` of a table."""

    dataset: str
    patients: dict[str, str]
    rows: dict[str, Row]


def main() -> None:
    """Print both tables."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", type=Path, help="folders with a results.json")
    parser.add_argument("--reference", required=True, help="the method that the others are compared with")
    asked = parser.parse_args()
    trials, patients = joined(asked.tables)
    if asked.reference not in trials:
        parser.error(f"--reference must be one of {', '.join(trials)}, not {asked.reference}")
    lines = [*values_table(trials), "", *differences_table(trials, patients, asked.reference)]
    sys.stdout.writelines(f"{line}\n" for line in lines)


def joined(tables: list[Path]) -> tuple[Trials, list[str]]:
    """The trials of all tables, and the patient of each case.

    Raises:
        ValueError: a table cannot be read. A method was trained with other options in another table. A trial is in two
            tables with other values, or tested other cases than the first one did. A case lacks a measure, or has
            another patient or data set in another table.
    """
    trials: Trials = {}
    patients: dict[str, str] = {}
    options: dict[str, dict[str, str]] = {}
    dataset = ""
    for table in tables:
        content = read_stored(table / "results.json", Table, "give the folder of a table whose rows have trials")
        dataset = dataset or content.dataset
        if content.dataset != dataset:
            raise ValueError(f"{table} is of {content.dataset}, and {tables[0]} of {dataset}")
        for method, row in content.rows.items():
            if other := row.options.items() ^ options.setdefault(method, row.options).items():
                names = ", ".join(sorted({name for name, _ in other}))
                raise ValueError(f"{table}: {method} was trained with other options in another table: {names}")
            for trial in row.trials:
                told = f"{table}: {method}, seed {trial.seed}"
                if any(measure not in of_case for of_case in trial.cases.values() for measure in MEASURES):
                    raise ValueError(f"{told} has a case without one of {', '.join(MEASURES)}")
                cases = {
                    name: {measure: of_case[measure] for measure in MEASURES} for name, of_case in trial.cases.items()
                }
                of_table = {name: content.patients.get(name, name) for name in cases}
                patients = patients or of_table
                if not cases or list(cases) != list(patients) or trial.fold:
                    raise ValueError(f"{told} tested other cases than the first trial")
                if of_table != patients:
                    raise ValueError(f"{table} has other patients of the cases than {tables[0]}")
                if trials.setdefault(method, {}).setdefault(trial.seed, cases) != cases:
                    raise ValueError(f"{told} has other values in another table")
    return trials, list(patients.values())


def values_table(trials: Trials) -> list[str]:
    """Lines: the mean of each measure over cases, of one seed after the other."""
    lines = [
        f"| method | seeds | {' | '.join(measure.title for measure in MEASURES.values())} |",
        "| --- " * (2 + len(MEASURES)) + "|",
    ]
    for method, of_seeds in trials.items():
        seeds = sorted(of_seeds)
        cells = [
            ", ".join(measure.shown(mean) for mean in nanmean(_values(of_seeds, name), axis=1))
            for name, measure in MEASURES.items()
        ]
        lines.append(f"| `{method}` | {', '.join(map(str, seeds))} | {' | '.join(cells)} |")
    return lines


def differences_table(trials: Trials, patients: list[str], reference: str) -> list[str]:
    """Lines: the difference of each method from the reference, with intervals and corrected p-values."""
    found: dict[tuple[str, str], Estimate] = {
        (method, name): difference(
            _values(of_seeds, name), _values(trials[reference], name), patients, same_trainings=False
        )
        for method, of_seeds in trials.items()
        if method != reference
        for name in MEASURES
    }
    corrected = dict(zip(found, holm([one.p_value for one in found.values()]), strict=True))
    lines = [
        f"| minus `{reference}` | measure | difference | 95 % interval | p (Holm) |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (method, name), one in found.items():
        measure = MEASURES[name]
        cells = [
            f"`{method}`",
            measure.title,
            measure.shown(one.value),
            " to ".join(map(measure.shown, one.interval())),
        ]
        lines.append(f"| {' | '.join([*cells, p_value_cell(corrected[method, name])])} |")
    return lines


def _values(of_seeds: dict[int, Cases], name: str) -> Floats:
    """The values of a measure, (seeds, cases)."""
    return np.array([[case[name] for case in of_seeds[seed].values()] for seed in sorted(of_seeds)], dtype=np.float64)


if __name__ == "__main__":
    tell_in_one_line()
    main()
