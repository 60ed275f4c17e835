"""Draw README's picture: how reliable a network is before and after calibration, and what one slice looks like.

    python scripts/draw_point.py BEFORE AFTER --out docs/images/point.png

BEFORE and AFTER are the output folders of two evaluations of one network, with and without a calibrator. It prints the
numbers of the picture's caption.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from calib_monai.command_lines import Parser
from calib_monai.refusals import tell_in_one_line
from calib_monai.reports.drawn_slices import (
    ERROR_COLOR,
    LABELED,
    PREDICTED,
    around_structures,
    draw_confidence,
    draw_errors,
    draw_outlines,
)
from calib_monai.reports.reliability import ACCURACY, DIAGONAL, OVER, UNDER, draw_diagram
from calib_monai.reports.results import DICE, ERROR
from calib_monai.reports.run_files import read_runs
from calib_monai.reports.runs import Run, shared_cases, worst_first
from calib_monai.whole_files import whole_file

SIZE = 7.0, 5.8  # inches; README shows it about 700 pixels wide
DPI = 180
WHEN = "before", "after"
TOLD = "dice_foreground", "ece_plausible", "nll_all", "ece_foreground"


def point_figure(runs: Sequence[Run], case: str) -> Figure:
    """A row for the run before calibration and one for the run after it, each with its diagram and its confidence.

    Both predict the same labels, so their outlines are drawn once and their errors once.

    Args:
        runs: before and after.
        case: whose slice is drawn.
    """
    figure = Figure(figsize=SIZE, layout="constrained")
    grid = figure.subplots(2, 3, width_ratios=[1.45, 1, 1])
    part = runs[0].slice_of(case)
    draw_outlines(grid[0, 1], part)
    draw_errors(grid[1, 1], part)
    grid[0, 1].set_title("prediction and label")
    grid[1, 1].set_title("errors")
    for (diagram, middle, last), run, when in zip(grid, runs, WHEN, strict=True):
        draw_diagram(diagram, run.bins)
        diagram.set(title=f"{when}: ECE {ERROR.shown(run.ece)}", xlabel="confidence", ylabel="share that is right")
        shown = draw_confidence(last, run.slice_of(case))
        last.set_title(f"confidence {when}")
        for axes in (middle, last):
            axes.set(xticks=[], yticks=[], aspect=part.voxel_aspect, **around_structures([part]))
    figure.colorbar(shown, ax=grid[:, 2], shrink=0.8)
    handles = [
        Line2D([], [], color=DIAGONAL, linestyle="--", linewidth=1, label="calibrated"),
        Patch(color=ACCURACY, label="share that is right"),
        Patch(facecolor="none", edgecolor=OVER, hatch="////", label="overconfident by"),
        Patch(facecolor=ACCURACY, edgecolor=UNDER, hatch="////", label="underconfident by"),
        Line2D([], [], color=PREDICTED["colors"], label="prediction"),
        Line2D([], [], color=LABELED["colors"], linestyle="--", label="label"),
        Patch(color=ERROR_COLOR, label="not the label"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    return figure


def middle_case(run: Run) -> str:
    """The case with the median Dice; of an even number the better one."""
    ordered = worst_first([run])
    return ordered[len(ordered) // 2]


def numbers(runs: Sequence[Run], case: str) -> str:
    """What the caption says: each measure before and after, and the case that is drawn."""
    first, part = runs[0], runs[0].slice_of(case)
    lines = [
        f"{first.measure(name).title}: {' -> '.join(first.measure(name).shown(run.metrics[name]) for run in runs)}"
        for name in TOLD
        if all(name in run.metrics for run in runs)
    ]
    drawn = f"{case}, slice {part.index}, Dice {DICE.shown(first.dice(case))}"
    return "\n".join([f"{len(first.cases)} cases", *lines, f"drawn: {drawn}"]) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, draw, write, print."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs=2, type=Path, metavar="RUN", help="before calibration, and after it")
    parser.add_argument("--case", help="the case to draw; the one with the median Dice by default")
    parser.add_argument("--out", type=Path, required=True, help="the picture to write")
    given = parser.parse_args(arguments)
    runs = read_runs(given.runs)
    shared_cases(runs)
    case = given.case or middle_case(runs[0])
    figure = point_figure(runs, case)
    with whole_file(given.out) as file:
        figure.savefig(file, format="png", dpi=DPI)
    sys.stdout.write(numbers(runs, case))


if __name__ == "__main__":
    tell_in_one_line()
    main()
