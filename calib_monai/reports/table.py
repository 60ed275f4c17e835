"""Table of results: methods down, measures across."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from calib_monai.reports.runs import Run


class Measure(NamedTuple):
    """How a metric is shown: its title, its unit where it has one, and its decimals."""

    title: str
    decimals: int


MEASURES = {
    "dice_foreground": Measure("Dice", 3),
    "hd95_mm": Measure("HD95 (mm)", 2),
    "missed_structures": Measure("missed structures", 0),
    "ece_foreground": Measure("ECE", 3),
    "cece_foreground": Measure("CECE", 3),
}


def results_table(runs: Sequence[Run]) -> str:
    """A Markdown table, a row a run; measures that no run has are left out."""
    shown = {name: measure for name, measure in MEASURES.items() if any(name in run.metrics for run in runs)}
    rows = [["", *(measure.title for measure in shown.values()), "cases"]]
    for run in runs:
        values = [f"{run.metrics.get(name, float('nan')):.{m.decimals}f}" for name, m in shown.items()]
        rows.append([run.name, *values, str(len(run.cases))])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    first, *others = [
        f"| {row[0]:<{widths[0]}} | " + " | ".join(f"{c:>{w}}" for c, w in zip(row[1:], widths[1:], strict=True)) + " |"
        for row in rows
    ]
    rule = "| " + "-" * widths[0] + " | " + " | ".join("-" * (width - 1) + ":" for width in widths[1:]) + " |"
    return "\n".join([first, rule, *others]) + "\n"
