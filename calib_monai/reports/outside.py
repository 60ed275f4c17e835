"""Outside: networks on the test cases of their training and on those of another folder, beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isnan

from calib_monai.intervals import patients_of
from calib_monai.reports.case_intervals import interval_of, value_and_interval
from calib_monai.reports.results import DICE, shown_measures
from calib_monai.reports.runs import DICE as OF_DICE
from calib_monai.reports.runs import Run, mean_of_known
from calib_monai.reports.table import Table, unmarked

TITLE = "Inside and outside"
ABOUT = (
    "The same network on the test cases of its training and on labeled cases of another folder. Brackets hold the 95 % "
    "interval of the mean over such cases. The cases differ, so nothing is marked as best. If the Dice of a structure "
    "is near 0 outside only, check first that the labels there have the same values."
)


def inside_and_outside(runs: Sequence[Run]) -> list[Run]:
    """The runs of each network and calibrator that was measured both inside and outside, inside first.

    Their names have the name of the data, too.
    """
    found: list[Run] = []
    for network in dict.fromkeys((run.model, run.calibrator) for run in runs):
        of_network = [run for run in runs if (run.model, run.calibrator) == network]
        inside = [run for run in of_network if run.part == "test" and not run.test_dir]
        outside = [run for run in of_network if run.test_dir]
        found += [*inside, *outside] if inside and outside else []
    return [replace(run, name=f"{run.name} on {run.dataset}") for run in found]


def outside_table(runs: Sequence[Run]) -> Table:
    """A table with a row for each measure and each structure's Dice, and a column for each run, with intervals.

    Args:
        runs: as `inside_and_outside` gives them.
    """
    measures = {name: one for name, one in shown_measures(runs).items() if one.proper is not False}
    cells = [
        [measure.title, *(" ".join(filter(None, value_and_interval(run, name, measure))) for run in runs)]
        for name, measure in measures.items()
    ]
    structures = runs[0].class_names[1:]
    dice = [
        [f"{DICE.title}, {name}", *(_dice_of(run, place) for run in runs)]
        for place, name in enumerate(structures)
        if len(structures) > 1
    ]
    cells = [*cells[:1], *dice, *cells[1:], ["cases", *(str(len(run.cases)) for run in runs)]]
    return Table(TITLE, ["", *(run.name for run in runs)], cells, unmarked(cells), ABOUT)


def _dice_of(run: Run, place: int) -> str:
    """The mean Dice of a structure over cases, with its interval; "-" where it was not measured."""
    rows = run.columns(OF_DICE)
    of_cases = {case: row[place] for case, row in rows.items() if len(row) == len(run.class_names) - 1}
    values, patients = list(of_cases.values()), patients_of(of_cases, run.patients)
    low, high = interval_of(OF_DICE, values, missed=False, patients=patients) if values else (float("nan"),) * 2
    interval = "" if isnan(low) else f" ({DICE.shown(low)} to {DICE.shown(high)})"
    return DICE.shown(mean_of_known(values)) + interval
