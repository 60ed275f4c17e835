"""Published results, compared with an experiment's results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path

from scipy import stats

from calib_monai.experiments.comparison import Comparison
from calib_monai.experiments.trials import Row
from calib_monai.measures import Measure
from calib_monai.reports.table import NOTABLE, Table, transposed

NETWORK = "unet"  # that the published tables are of
TO_ORDER = 3  # rows, below which their order says nothing


@dataclass(frozen=True)
class Published:
    """A table that a paper printed.

    Attributes:
        source: the paper and its table.
        dataset: what it was measured on.
        measures: its columns, by the names that ours have.
        rows: the values of each row, by the name that ours has.
    """

    source: str
    dataset: str
    measures: list[str]
    rows: dict[str, list[float]]


def read_published(path: Path) -> list[Published]:
    """The tables in a JSON file.

    Raises:
        ValueError: a file that is not there, or that holds something else.
    """
    try:
        return [Published(**table) for table in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path} must be a JSON list of published tables: {error}") from None


def published_table(
    published: Published, rows: Sequence[Row], measures: Mapping[str, Measure], compared: Comparison
) -> Table | None:
    """A table of the measures that both have, with the difference of ours; None if they share no row or no measure.

    A difference is marked if the published value lies outside our 95 % interval. Rows whose images were disturbed are
    left out: papers printed values of undisturbed images.
    """
    both = [
        row
        for row in rows
        if row.name_of_method in published.rows and row.trials[0].network == NETWORK and not row.run.disturbance
    ]
    shared = [name for name in published.measures if name in measures]
    if not both or not shared or published.dataset != rows[0].trials[0].run.dataset:
        return None
    header, columns, marks, orders = [""], [[row.name for row in both]], [[""] * len(both)], []
    for name in shared:
        measure, index = measures[name], published.measures.index(name)
        ours, printed = ([row.value(name) for row in both], [published.rows[row.name_of_method][index] for row in both])
        intervals = [compared.intervals[row.name][name] for row in both]
        inside = [not (value < low or value > high) for value, (low, high) in zip(printed, intervals, strict=True)]
        header += [measure.title, "printed", "difference"]
        columns += [
            list(map(measure.shown, ours)),
            list(map(measure.shown, printed)),
            [measure.shown(one - other, "+") for one, other in zip(ours, printed, strict=True)],
        ]
        marks += [[""] * len(both), [""] * len(both), ["" if held else NOTABLE for held in inside]]
        if len(both) >= TO_ORDER and not any(map(isnan, ours)):
            orders.append(f"{measure.title} {stats.spearmanr(ours, printed).statistic:.2f}")
    note = (
        "A difference is marked if the published value lies outside our 95 % interval. Splits were never published."
        + (f" Agreement of the order of the rows (Spearman's rho, 1 the same): {', '.join(orders)}." if orders else "")
    )
    return Table(f"Beside {published.source}", header, transposed(columns), transposed(marks), note)
