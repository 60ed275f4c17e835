"""Conformal: whether intervals of volumes held the true volumes as often as they promise, and how wide they are."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from statistics import median

from calib_monai.conformal import coverage_range
from calib_monai.measures import COVERED, WIDTH, measure_of
from calib_monai.reports.case_values import case_columns
from calib_monai.reports.runs import Run
from calib_monai.reports.table import Table, unmarked

TITLE = "Conformal intervals of volumes"
HEADER = ("", "covered (%)", "of cases", "promised (%)", "expected (%)", "median width (% of the volume)")
ABOUT = (
    "A conformal interval holds the true volume in the promised share of cases, if these are exchangeable with the "
    "validation cases from which it follows. 'Expected' is where the covered share then lies in 95 of 100 evaluations "
    "of as many cases (a beta-binomial distribution). The validation cases also chose the best epoch and fitted the "
    "calibrator, so new cases may be covered a little less often."
)


def intervals_of_volumes(runs: Sequence[Run]) -> Table | None:
    """A table with a row for each run and structure: how often its interval held the true volume, and its width.

    None if no run has conformal intervals.
    """
    cells, told = [], []
    for run in (one for one in runs if COVERED in one.metrics):
        settings = run.settings[COVERED]
        coverage, fitted = float(settings["coverage"]), int(settings["validation_cases"])
        for name, covered, widths in _structures(run):
            share, number = sum(covered) / len(covered), len(covered)
            low, high = coverage_range(fitted, number, coverage)
            known = [width for width in widths if not isnan(width)]
            width = measure_of(WIDTH).shown(median(known)) if known else "-"
            shown = [*map(measure_of(COVERED).shown, (share, coverage, low, high))]
            cells.append([f"{run.name}: {name}", shown[0], str(number), shown[1], f"{shown[2]} to {shown[3]}", width])
            if not low <= share <= high:
                less = "fewer" if share < low else "more"
                told.append(f"{run.name}: {name} is covered in {less} cases than chance explains: they differ in kind.")
    return Table(TITLE, HEADER, cells, unmarked(cells), ABOUT, listed=told) if cells else None


def _structures(run: Run) -> list[tuple[str, list[float], list[float]]]:
    """For each structure its name, and of each case whether it was covered and how wide its interval was."""
    covered, widths = (list(zip(*case_columns(run, name).values(), strict=True)) for name in (COVERED, WIDTH))
    names = run.class_names[1:]
    return [(name, list(one), list(other)) for name, one, other in zip(names, covered, widths, strict=True)]
