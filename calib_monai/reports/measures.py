"""Measures: how each is shown, and the table of runs."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, nan
from typing import NamedTuple

from calib_monai.reports.runs import Run
from calib_monai.reports.table import Table, best_marks, transposed


class Measure(NamedTuple):
    """How a metric is shown: its title, its unit where it has one, its decimals, and what is better."""

    title: str
    decimals: int
    more_is_better: bool = False

    def shown(self, value: float) -> str:
        """A value of it; a dash where it was not measured."""
        return NOT_MEASURED if isnan(value) else f"{value:.{self.decimals}f}"

    def marks(self, values: Sequence[float]) -> list[str]:
        """The marks of the best of several values."""
        return best_marks(values, self.decimals, more_is_better=self.more_is_better)


NOT_MEASURED = "-"
CALIBRATION = {"ece": "ECE", "cece": "CECE", "tace": "TACE", "brier": "Brier", "nll": "NLL"}
REGIONS = {"foreground": "", "union": ", union", "boundary": ", boundary", "all": ", all voxels"}


def _of_probabilities(name: str) -> Measure:
    """How "tace_foreground_0.01" is shown: as "TACE, 0.01"; of the regions the foreground is not named."""
    kind, *words = name.split("_")
    return Measure(CALIBRATION[kind] + "".join(REGIONS.get(word, f", {word}") for word in words), 3)


MEASURES = {
    "dice_foreground": Measure("Dice", 3, more_is_better=True),
    "hd95_mm": Measure("HD95 (mm)", 2),
    "asd_mm": Measure("ASD (mm)", 2),
    "hd95_pixels": Measure("HD95 (pixels)", 1),
    "asd_pixels": Measure("ASD (pixels)", 1),
    "dice_regions": Measure("Dice, regions", 3, more_is_better=True),
    "hd95_mm_regions": Measure("HD95, regions (mm)", 2),
    "missed_structures": Measure("missed structures", 0),
} | {name: _of_probabilities(name) for name in (f"{kind}_{region}" for region in REGIONS for kind in CALIBRATION)}
DICE, ECE = MEASURES["dice_foreground"], MEASURES["ece_foreground"]


def shown_measures(runs: Sequence[Run]) -> dict[str, Measure]:
    """The measures that any run has, in the order they are shown; a region other than the foreground is named."""
    return {name: measure for name, measure in MEASURES.items() if any(name in run.metrics for run in runs)}


def added_measures(runs: Sequence[Run]) -> dict[str, Measure]:
    """The measures of probabilities that a user has added."""
    added = dict.fromkeys(name for run in runs for name in run.metrics if name not in MEASURES)
    return {name: _of_probabilities(name) for name in added if name.split("_")[0] in CALIBRATION}


def unknown_measures(runs: Sequence[Run]) -> list[str]:
    """Names of what runs have and no table shows."""
    known = MEASURES | added_measures(runs)
    return list(dict.fromkeys(name for run in runs for name in run.metrics if name not in known))


def results_table(runs: Sequence[Run]) -> Table:
    """A row a run, a column a measure, and the number of cases; measures that no run has are left out.

    None is best of a measure that was made with other settings in one run than in another.
    """
    columns, marks, notes = [[run.name for run in runs]], [[""] * len(runs)], []
    measures = shown_measures(runs) | added_measures(runs)
    for name, measure in measures.items():
        values = [run.metrics.get(name, nan) for run in runs]
        unlike = unlike_settings(name, runs)
        columns.append([measure.shown(value) for value in values])
        marks.append([""] * len(runs) if unlike else measure.marks(values))
        notes += [f"{measure.title} was not measured alike and is not compared: {unlike}."] if unlike else []
    columns.append([str(len(run.cases)) for run in runs])
    marks.append([""] * len(runs))
    header = ["", *(measure.title for measure in measures.values()), "cases"]
    return Table("", header, transposed(columns), transposed(marks), " ".join(notes))


def unlike_settings(name: str, runs: Sequence[Run]) -> str:
    """By which settings of a measure runs differ, "" where they do not, or did not note them."""
    noted = [(run.name, run.settings[name]) for run in runs if run.settings.get(name)]
    keys = sorted({key for _, settings in noted for key in settings})
    differing = [key for key in keys if len({repr(settings.get(key)) for _, settings in noted}) > 1]
    told = [f"{run} with {', '.join(f'{key} {settings.get(key)}' for key in differing)}" for run, settings in noted]
    return "; ".join(dict.fromkeys(told)) if differing else ""
