"""Elsewhere: the trials of an experiment on labeled data of others, beside those on their own test cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from calib_monai.experiments.tables import with_deviation
from calib_monai.experiments.trials import Row, Trial
from calib_monai.measures import NOT_MEASURED, Measure
from calib_monai.reports.outside import TITLE
from calib_monai.reports.table import Table, unmarked

MEASURES_SHOWN = ("dice_foreground", "nll_all", "ece_plausible", "cece_plausible")
ABOUT = (
    "The same networks on the test cases of their training and on labeled cases of others: means, ± the deviation "
    "between seeds where there are several. The cases differ, so nothing is marked as best."
)


def by_place(trials: Sequence[Trial]) -> list[list[Trial]]:
    """The trials on the test cases of their training first, then those on each folder of others."""
    places = sorted(dict.fromkeys(trial.run.test_dir for trial in trials), key=bool)
    return [[trial for trial in trials if trial.run.test_dir == place] for place in places]


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
    """Method, network and calibrator of a row."""
    return row.trials[0].method, row.trials[0].network, row.trials[0].run.calibrator


def _name_of_line(network: tuple[str, ...]) -> str:
    """The name of a line."""
    method, name, calibrator = network
    calibrated = "" if calibrator == "none" else f" + {calibrator.upper()}"
    return f"{method.replace('-', ' ').replace('_', ' ')}, {name}{calibrated}"
