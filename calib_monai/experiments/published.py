"""Published results, compared with an experiment's results."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from math import atanh, isnan, nan, sqrt, tanh
from pathlib import Path

from pydantic import ConfigDict, model_validator
from scipy import stats

from calib_monai.experiments.trials import Row
from calib_monai.measures import Measure
from calib_monai.reports.table import Table, transposed, unmarked
from calib_monai.stored import Stored, checked
from calib_monai.whole_files import read_json

NETWORKS = ("unet", "unet_papers")  # beside which published values stand: the default, and that of the papers
TO_ORDER = 3  # rows, below which their order says nothing
FISHER = 3  # taken from the number of values in the variance of a correlation (Fisher; Bonett and Wright 2000)
IN_VOXELS = "hd95_voxels"  # the distance that papers print, beside which that of this collection stands
OWN_DISTANCES = ("hd95_mm", "hd95_pixels")  # of which a data set has one


class Published(Stored):
    """A table that a paper printed.

    Attributes:
        source: the paper and its table.
        dataset: what it was measured on.
        measures: its columns, by the names that ours have.
        rows: the values of each row, by the name that ours has.
        structure: the structure that all values are of; "" for means over structures.
    """

    model_config = ConfigDict(extra="forbid")

    source: str
    dataset: str
    measures: list[str]
    rows: dict[str, list[float]]
    structure: str = ""

    @model_validator(mode="after")
    def check_rows(self) -> Published:
        """Raise ValueError if a row has more or fewer values than there are measures."""
        for name, row in self.rows.items():
            if len(row) != len(self.measures):
                raise ValueError(f"{name} has {len(row)} value(s) for {len(self.measures)} measures")
        return self


def read_published(path: Path) -> list[Published]:
    """The tables in a JSON file.

    Raises:
        ValueError: a file that is not there, or that holds something else.
    """
    try:
        return [checked(table, path, Published, "see workflow/published.json") for table in read_json(path)]
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} must be a JSON list of published tables: {error}") from None


def published_table(published: Published, rows: Sequence[Row], measures: Mapping[str, Measure]) -> Table | None:
    """A table of the measures that both have, with the difference of ours; None if they share no row or no measure.

    No difference is marked: papers print no deviation, so nothing tells a difference from chance. Rows whose images
    were disturbed are left out: papers printed values of undisturbed images.
    """
    both = [
        row
        for row in rows
        if row.name_of_method in published.rows and row.trials[0].network in NETWORKS and not row.run.disturbance
    ]
    shared = {name: own for name in published.measures if (own := own_measure(name, measures))}
    if not both or not shared or published.dataset != rows[0].trials[0].run.dataset:
        return None
    header, columns, orders = [""], [[row.name for row in both]], []
    for name, own in shared.items():
        measure, index = measures[own], published.measures.index(name)
        ours, printed = (
            [_value(row, own, published.structure) for row in both],
            [published.rows[row.name_of_method][index] for row in both],
        )
        header += [measure.title, "printed" if own == name else "printed (voxels)"]
        columns += [list(map(measure.shown, ours)), list(map(measure.shown, printed))]
        if own == name:
            header.append("difference")
            columns.append([measure.shown(one - other, "+") for one, other in zip(ours, printed, strict=True)])
        if len(both) >= TO_ORDER and not any(map(isnan, ours)):
            orders.append(f"{measure.title} {_order(ours, printed)}")
    note = "The paper's network, split and grid are others, and it prints no deviation: no difference is tested." + (
        f" Agreement of the order of the {len(both)} rows (Spearman's rho, 1 the same, with its 95 % interval): "
        f"{', '.join(orders)}."
        if orders
        else ""
    )
    cells = transposed(columns)
    of_structure = f", {published.structure}" if published.structure else ""
    return Table(f"Beside {published.source}{of_structure}", header, cells, unmarked(cells), note)


def own_measure(name: str, measures: Container[str]) -> str | None:
    """The measure of ours that stands beside a printed one: the same, or for a distance in voxels one in another unit.

    Args:
        name: of the printed measure.
        measures: the names of ours.
    """
    names = [name.replace(IN_VOXELS, own) for own in OWN_DISTANCES] if name.startswith(IN_VOXELS) else [name]
    return next((own for own in names if own in measures), None)


def _value(row: Row, measure: str, structure: str) -> float:
    """The value of a row, or of one of its structures; NaN if there is none."""
    return row.columns(measure).get(structure, nan) if structure else row.value(measure)


def _order(ours: Sequence[float], printed: Sequence[float]) -> str:
    """Spearman's rho, with its 95 % interval by Fisher's transform (Bonett and Wright 2000) from four rows on."""
    rho = float(stats.spearmanr(ours, printed).statistic)
    if len(ours) <= FISHER or not abs(rho) < 1:
        return f"{rho:.2f}"
    half = float(stats.norm.ppf(0.975)) * sqrt((1 + rho**2 / 2) / (len(ours) - FISHER))
    return f"{rho:.2f} ({tanh(atanh(rho) - half):.2f} to {tanh(atanh(rho) + half):.2f})"
