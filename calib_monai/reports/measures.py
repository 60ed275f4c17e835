"""Measures: how each is shown, and the table of runs."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import NamedTuple

from calib_monai.reports.runs import Run
from calib_monai.reports.table import Table, best_marks, transposed


class Measure(NamedTuple):
    """How a metric is shown: its title, its unit where it has one, its decimals, and what is better."""

    title: str
    decimals: int
    more_is_better: bool = False

    def shown(self, value: float) -> str:
        """A value of it; "nan" where it was not measured."""
        return f"{value:.{self.decimals}f}"

    def marks(self, values: Sequence[float]) -> list[str]:
        """The marks of the best of several values."""
        return best_marks(values, self.decimals, more_is_better=self.more_is_better)


CALIBRATION = {"ece": "ECE", "cece": "CECE", "tace": "TACE", "brier": "Brier", "nll": "NLL"}
REGIONS = {"foreground": "", "union": ", union", "boundary": ", boundary", "all": ", all voxels"}
MEASURES = {
    "dice_foreground": Measure("Dice", 3, more_is_better=True),
    "hd95_mm": Measure("HD95 (mm)", 2),
    "asd_mm": Measure("ASD (mm)", 2),
    "hd95_pixels": Measure("HD95 (pixels)", 1),
    "asd_pixels": Measure("ASD (pixels)", 1),
    "dice_regions": Measure("Dice, regions", 3, more_is_better=True),
    "hd95_mm_regions": Measure("HD95, regions (mm)", 2),
    "missed_structures": Measure("missed structures", 0),
} | {
    f"{name}_{region}": Measure(f"{title}{aside}", 3)
    for region, aside in REGIONS.items()
    for name, title in CALIBRATION.items()
}


def shown_measures(runs: Sequence[Run]) -> dict[str, Measure]:
    """The measures that any run has, in the order they are shown; a region other than the foreground is named."""
    return {name: measure for name, measure in MEASURES.items() if any(name in run.metrics for run in runs)}


def results_table(runs: Sequence[Run]) -> Table:
    """A row a run, a column a measure, and the number of cases; measures that no run has are left out."""
    columns, marks = [[run.name for run in runs]], [[""] * len(runs)]
    measures = shown_measures(runs)
    for name, measure in measures.items():
        values = [run.metrics.get(name, nan) for run in runs]
        columns.append([measure.shown(value) for value in values])
        marks.append(measure.marks(values))
    columns.append([str(len(run.cases)) for run in runs])
    marks.append([""] * len(runs))
    header = ["", *(measure.title for measure in measures.values()), "cases"]
    return Table("", header, transposed(columns), transposed(marks))
