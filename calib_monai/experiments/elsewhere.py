"""Elsewhere: the trials of an experiment on labeled data of others, beside those on their own test cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from pathlib import Path

from calib_monai.experiments.tables import with_deviation
from calib_monai.experiments.trials import Row, Trial
from calib_monai.measures import NOT_MEASURED, Measure
from calib_monai.reports.outside import TITLE
from calib_monai.reports.runs import Run
from calib_monai.reports.table import Table, unmarked

MEASURES_SHOWN = ("dice_foreground", "nll_all", "ece_plausible", "cece_plausible")
ABOUT = (
    "The same networks on the test cases of their training and on labeled cases of others: means, ± the deviation "
    "between seeds where there are several. The cases differ, so nothing is marked as best."
)


def by_place(trials: Sequence[Trial]) -> list[list[Trial]]:
    """The trials on the test cases of their training first, then those on each data set of others, told by its name.

    Raises:
        ValueError: as `check_places`.
    """
    check_places(trials)
    places = sorted(dict.fromkeys(map(_place, trials)), key=bool)
    return [[trial for trial in trials if _place(trial) == place] for place in places]


def check_places(trials: Sequence[Trial]) -> None:
    """Raise ValueError if different data of others have one name, or if evaluations of one name measured several."""
    named: dict[str, Run] = {}
    evaluated: dict[str, Run] = {}
    for trial in sorted(filter(_place, trials), key=lambda trial: not _is_whole(trial.run.test_dir)):
        run = trial.run
        first = named.setdefault(run.dataset, run)
        if differing := _differing(first, run):
            raise ValueError(
                f"{first.folder} and {run.folder} measured different data that are both called {run.dataset}: "
                f"{differing}; rename one, or give it as a JSON file of another name, and evaluate again"
            )
        first = evaluated.setdefault(trial.evaluation, run)
        if first.dataset != run.dataset:
            raise ValueError(
                f"{first.folder} and {run.folder} are both evaluations {trial.evaluation}, and measured "
                f"{first.dataset} and {run.dataset}; evaluations of one name must be on the same data"
            )


def _place(trial: Trial) -> str:
    """The name of the data of others that a trial measured; "" for test cases of its training."""
    return trial.run.dataset if trial.run.test_dir else ""


def _is_whole(path: str) -> bool:
    """Whether a path has more than its last part, which is all that the file of kept trials has of it."""
    return Path(path).name != path


def _differing(first: Run, other: Run) -> str:
    """In what the data differ that two runs measured, in words; "" if nothing says so.

    Args:
        first: a run that has the whole path of its data if any of both has.
        other: the other run.
    """
    known = first.test_dir if _is_whole(other.test_dir) else Path(first.test_dir).name
    if known != other.test_dir:
        return f"{first.test_dir} and {other.test_dir}"
    if alone := sorted(first.cases.keys() ^ other.cases.keys()):
        return f"only one of them has the case {alone[0]}"
    numbers = {"voxels": (first.num_voxels, other.num_voxels)}
    numbers["voxels of structures"] = (_of_structures(first), _of_structures(other))
    return next((f"{one:g} and {two:g} {what}" for what, (one, two) in numbers.items() if abs(one - two) > 0), "")


def _of_structures(run: Run) -> float:
    """The number of voxels whose label is a structure, whatever the network predicts; NaN if it was not noted."""
    return run.voxels.get("ece_foreground", nan)


def elsewhere_table(inside: Sequence[Row], outside: Sequence[Sequence[Row]], measures: Mapping[str, Measure]) -> Table:
    """A table with a line for each network, and for each measure a column for each of the data.

    Args:
        inside: rows on the test cases; those of disturbed images are left out.
        outside: rows on each folder of others.
        measures: the measures of all of them.
    """
    groups = [[row for row in inside if row.trials[0].run.disturbance in ([], None)], *outside]
    places = [group[0].run.dataset for group in (inside, *outside)]
    lines: dict[tuple[str, ...], dict[int, Row]] = {}
    for place, group in enumerate(groups):
        for row in group:
            lines.setdefault(_network(row), {})[place] = row
    shown = {name: measures[name] for name in MEASURES_SHOWN if name in measures}
    cells = [
        [
            _name_of_line(network),
            *(
                with_deviation(found[at], name, one) if at in found else NOT_MEASURED
                for name, one in shown.items()
                for at in range(len(places))
            ),
        ]
        for network, found in lines.items()
        if found.keys() - {0}
    ]
    header = [f"{one.title}, {place}" for one in shown.values() for place in places]
    return Table(TITLE, ["", *header], cells, unmarked(cells), ABOUT)


def _network(row: Row) -> tuple[str, ...]:
    """Method, network and calibrator of a row, and whether it averages several trainings."""
    first = row.trials[0]
    return first.method, first.network, first.run.calibrator, " ensemble" if first.averages else ""


def _name_of_line(network: tuple[str, ...]) -> str:
    """The name of a line."""
    method, name, calibrator, ensemble = network
    calibrated = "" if calibrator == "none" else f" + {calibrator.upper()}"
    return f"{method.replace('-', ' ').replace('_', ' ')}{ensemble}, {name}{calibrated}"
