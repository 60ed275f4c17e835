"""Selection: chooses one of several trainings on the validation cases, by a rule that is written down.

`python -m calib_monai.experiments.selection TRIAL [TRIAL ...] --out selected.json`
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from math import isnan
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PositiveInt

from calib_monai.command_lines import Parser
from calib_monai.experiments.grouping import rows_of
from calib_monai.experiments.trial_files import read_trial
from calib_monai.experiments.trials import Row
from calib_monai.measures import measure_of
from calib_monai.path_options import check_writable
from calib_monai.refusals import tell_in_one_line
from calib_monai.reports.table import NOTABLE, Table
from calib_monai.stored import Stored, checked
from calib_monai.whole_files import read_json, write_json

PART = "validation"
SCORE, OVERLAP, TOLERANCE = "nll_all", "dice_foreground", 0.005
DIGITS = 6  # of a difference: what lies behind them is of the computer
KEYS = {"written", "rule", "candidates", "selected", "num_cases"}  # of a choice that tables need
RULE = (
    "the lowest NLL over all voxels of the validation cases, among those whose Dice there is within "
    f"{TOLERANCE} of the best; means over seeds and folds"
)


def _with_zone(time: str) -> str:
    """A time as text; ValueError if it is none, or has no time zone: it is compared with those of evaluations."""
    if datetime.fromisoformat(time).tzinfo is None:
        raise ValueError(f"{time} has no time zone")
    return time


class StoredCandidate(Stored):
    """A candidate of a choice, as it is written."""

    method: str
    nll_all: float
    dice_foreground: float


class StoredChoice(Stored):
    """The content of the file of a choice."""

    written: Annotated[str, AfterValidator(_with_zone)]
    rule: str
    num_cases: PositiveInt
    candidates: Annotated[dict[str, StoredCandidate], Field(min_length=1)]
    selected: list[str]


@dataclass(frozen=True)
class Candidate:
    """One of the trainings of which one is chosen, over all its seeds and folds.

    Attributes:
        name: of its row in tables.
        method: the bundle's, without its variant.
        nll: over all voxels of the validation cases, a mean over cases, seeds and folds.
        dice: of foreground, over the same cases, seeds and folds.
    """

    name: str
    method: str
    nll: float
    dice: float


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code, after the choice is written."""
    parser = Parser(prog="python -m calib_monai.experiments.selection", description=f"Choose a training: {RULE}.")
    parser.add_argument("trials", nargs="+", type=Path, metavar="TRIAL", help=f"NETWORK/METHOD/seedS_foldF/eval_{PART}")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--each", action="store_true", help="choose one for each method")
    given = parser.parse_args(arguments)
    if given.out.is_dir():
        raise ValueError(f"--out {given.out} is a folder; it must be the JSON file to write, such as selected.json")
    check_writable([str(given.out.parent)])
    content = selection_of(given.trials, each=given.each)
    before = read_selection(given.out) if given.out.is_file() else {}
    if content != {name: value for name, value in before.items() if name != "written"}:
        write_json(given.out, {"written": datetime.now(timezone.utc).isoformat(timespec="seconds"), **content})
    sys.stdout.write("".join(f"{name}\n" for name in content["selected"]))
    return 0


def selection_of(folders: Sequence[Path], *, each: bool) -> dict[str, Any]:
    """The rule, the candidates with what was measured of them, and the chosen ones, as they are written.

    Args:
        folders: evaluations of validation cases, as the workflow writes them.
        each: whether one is chosen for each method, and not one of all.

    Raises:
        ValueError: as `read_trial` and `rows_of`, or an evaluation of other cases than validation cases.
    """
    trials = [read_trial(folder) for folder in folders]
    for trial in trials:
        if trial.run.part != PART:
            raise ValueError(
                f"{trial.run.folder} is an evaluation of {trial.run.part} cases; a choice by them would make their "
                f"numbers too good: evaluate with --part {PART}"
            )
    rows = rows_of(trials)
    candidates = [candidate_of(row) for row in rows]
    return {
        "rule": RULE,
        "each": each,
        "num_cases": len(rows[0].cases),
        "seeds": rows[0].seeds,
        "folds": sorted({trial.fold for trial in trials}),
        "candidates": {one.name: {"method": one.method, SCORE: one.nll, OVERLAP: one.dice} for one in candidates},
        "selected": [one.name for one in chosen(candidates, each=each)],
    }


def candidate_of(row: Row) -> Candidate:
    """What the rule looks at.

    Raises:
        ValueError: something of it was not measured.
    """
    for name in (SCORE, OVERLAP):
        if isnan(row.value(name)):
            raise ValueError(f"{row.trials[0].run.folder} has no {name}, by which a training is chosen")
    name = row.name.removesuffix(f" {PART}")
    return Candidate(name, row.trials[0].bundle_method, row.value(SCORE), row.value(OVERLAP))


def chosen(candidates: Sequence[Candidate], *, each: bool) -> list[Candidate]:
    """The chosen candidates by `RULE`: one of all, or one for each method; of equal ones the first."""
    methods = list(dict.fromkeys(one.method for one in candidates)) if each else [None]
    found = []
    for method in methods:
        group = [one for one in candidates if method in (None, one.method)]
        best = max(one.dice for one in group)
        near = [one for one in group if round(best - one.dice, DIGITS) <= TOLERANCE]
        found.append(min(near, key=lambda one: one.nll))
    return found


def read_selection(file: Path) -> dict[str, Any]:
    """A choice that `main` wrote.

    Raises:
        ValueError: the file holds something else, or was damaged.
    """
    content = read_json(file, "selected")
    if not isinstance(content, dict) or not content.keys() >= KEYS:
        raise ValueError(f"{file} holds no choice of trainings")
    choice = checked(content, file, StoredChoice, "remove it, and choose again")
    if unknown := [name for name in choice.selected if name not in choice.candidates]:
        raise ValueError(f"{file} is damaged ({unknown[0]} is selected, and no candidate): remove it, and choose again")
    return content


def selection_table(selection: Mapping[str, Any], rows: Sequence[Row]) -> Table:
    """NLL and Dice of each candidate on validation and on test cases, the chosen ones marked.

    Args:
        selection: as `selection_of` gives it.
        rows: of the same trainings, measured on test cases.

    Raises:
        ValueError: a candidate that no row has: it was measured on validation cases alone.
    """
    of_name = {row.name: row for row in rows}
    for name in selection["candidates"]:
        if name not in of_name:
            raise ValueError(f"{name} was a candidate, and is not among the trials: {', '.join(of_name)}")
    measures = {name: measure_of(name) for name in (SCORE, OVERLAP)}
    header = [f"{measure.title}, {part}" for measure in measures.values() for part in (PART, "test")]
    cells, marks = [], []
    for name, values in selection["candidates"].items():
        pairs = [(measures[one].shown(values[one]), measures[one].shown(of_name[name].value(one))) for one in measures]
        is_chosen = name in selection["selected"]
        cells.append([name, "chosen" if is_chosen else "", *(shown for pair in pairs for shown in pair)])
        marks.append([NOTABLE if is_chosen else ""] * 2 + [""] * len(header))
    trials = [trial for name in selection["candidates"] for trial in of_name[name].trials]
    tested = [datetime.fromisoformat(trial.records["evaluate"]["started"]) for trial in trials]
    earlier = sum(time < datetime.fromisoformat(selection["written"]) for time in tested)
    order = f"{earlier} of {len(tested)} tests are older than the choice" if earlier else "The tests came later"
    note = f"Chosen: {selection['rule']}. {selection['num_cases']} validation case(s). {order}."
    return Table("Chosen on validation cases", ["", "", *header], cells, marks, note)


if __name__ == "__main__":
    tell_in_one_line()
    raise SystemExit(main())
