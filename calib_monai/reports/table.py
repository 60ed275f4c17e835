"""Table of results: methods down, measures across."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from calib_monai.reports.runs import Run


class Measure(NamedTuple):
    """How a metric is shown: its title, its unit where it has one, its decimals, and what is better."""

    title: str
    decimals: int
    more_is_better: bool = False


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


def shown_values(run: Run, shown: Mapping[str, Measure]) -> list[str]:
    """What a run reached in each of these measures, as it is shown; "nan" where it was not measured."""
    return [f"{run.metrics.get(name, float('nan')):.{measure.decimals}f}" for name, measure in shown.items()]


def ranks(runs: Sequence[Run], name: str, measure: Measure) -> list[int]:
    """Place of each run by a measure as it is shown, 1 the best; equal ones share it, NaN comes last."""
    values = [round(run.metrics.get(name, float("nan")), measure.decimals) for run in runs]
    worse = [-value if measure.more_is_better else value for value in values]
    sortable = [math.inf if math.isnan(value) else value for value in worse]
    return [1 + sum(other < value for other in sortable) for value in sortable]


def results_table(runs: Sequence[Run]) -> str:
    """A Markdown table, a row a run; measures that no run has are left out."""
    shown = shown_measures(runs)
    rows = [["", *(measure.title for measure in shown.values()), "cases"]]
    rows += [[run.name, *shown_values(run, shown), str(len(run.cases))] for run in runs]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    first, *others = [
        f"| {row[0]:<{widths[0]}} | " + " | ".join(f"{c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True)) + " |"
        for row in rows
    ]
    rule = "| " + "-" * widths[0] + " | " + " | ".join("-" * (width - 1) + ":" for width in widths[1:]) + " |"
    return "\n".join([first, rule, *others]) + "\n"
