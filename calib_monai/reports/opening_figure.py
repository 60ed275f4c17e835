"""Opening figure: one slice near its structures, with the outlines, the errors and the confidence of each run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from calib_monai.reports.drawn_slices import (
    ERROR_COLOR,
    LABELED,
    OUTSIDE,
    PREDICTED,
    around_structures,
    draw_confidence,
    draw_errors,
    draw_outlines,
    outside,
)
from calib_monai.reports.names import wrapped
from calib_monai.reports.results import DICE, ERROR
from calib_monai.reports.runs import Run

WIDTH, PANEL, HEAD, FOOT = 5.7, 1.6, 0.75, 0.5  # inches: the figure fits a narrow window
TALLEST = 2.0  # of a panel, over its width
COLUMNS = ("outlines", "errors", "confidence")


def opening_figure(runs: Sequence[Run], case: str) -> Figure:
    """A row for each run, with voxels in their physical proportions.

    Raises:
        ValueError: a run kept no slice of this case.
    """
    slices = [run.slice_of(case) for run in runs]
    shown = around_structures(slices)
    across, down = (abs(end - start) for start, end in shown.values())
    row = PANEL * min(slices[0].voxel_aspect * down / across, TALLEST) + HEAD
    figure = Figure(figsize=(WIDTH, row * len(runs) + FOOT), layout="constrained")
    for part_of_figure, run, part in zip(
        figure.subfigures(len(runs), 1, squeeze=False)[:, 0], runs, slices, strict=True
    ):
        values = f"Dice {DICE.shown(run.dice(case))}, ECE, {run.region} {ERROR.shown(run.ece_of(case))}"
        part_of_figure.suptitle(f"{wrapped(run.name, 60)}\n{values}", fontsize="medium")
        axes = part_of_figure.subplots(1, len(COLUMNS))
        draw_outlines(axes[0], part)
        draw_errors(axes[1], part)
        part_of_figure.colorbar(draw_confidence(axes[2], part), ax=axes[2], shrink=0.9)
        for panel, title in zip(axes, COLUMNS, strict=True):
            panel.set_title(title, fontsize="medium")
            panel.set(xticks=[], yticks=[], aspect=part.voxel_aspect, **shown)
    figure.legend(
        handles=_key(cropped=any(outside(part).any() for part in slices)),
        loc="outside lower center",
        ncols=4,
        frameon=False,
    )
    return figure


def _key(*, cropped: bool) -> list[Any]:
    """What lines and colors mean."""
    return [
        Line2D([], [], color=PREDICTED["colors"], label="prediction"),
        Line2D([], [], color=LABELED["colors"], linestyle="--", label="truth"),
        Patch(color=ERROR_COLOR, label="not the truth"),
        *([Patch(label="outside the crop", **OUTSIDE)] if cropped else []),
    ]
