"""Doubts: which cases a person should look at, judged by their probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from math import ceil, inf, isnan, nan
from statistics import fmean

import numpy as np
from matplotlib.figure import Figure

from calib_monai.colors import class_color
from calib_monai.measures import Measure
from calib_monai.reports.case_values import case_columns, case_values
from calib_monai.reports.names import wrapped
from calib_monai.reports.results import DICE
from calib_monai.reports.runs import Run, mean_of_known
from calib_monai.reports.table import Table, unmarked

EXPECTED = "expected_dice"
MOST_NAMED = 5  # cases
RISK = Measure("AURC")
ABOUT = (
    "Cases are sorted by a confidence, and the risk is 1 - Dice. The area under the risk-coverage curve (AURC) is the "
    "mean risk of the surest case, of the two surest, and so on to all. The lower it is, the better the confidence "
    "tells which cases failed. No order is better than the order by Dice itself; a random order has the mean risk. "
    "A case comes first if a structure has no expected Dice, because no voxel gives it at least 1 %. "
)
PANELS = 4  # of the figure, beside each other


def area_under_risk_coverage(confidence: Sequence[float], risk: Sequence[float]) -> float:
    """Mean over n of the mean risk of the n cases of highest confidence (Geifman and El-Yaniv 2017, arXiv:1705.08500).

    Cases of one confidence count with their mean risk, whatever their order; a NaN is the lowest confidence.

    Args:
        confidence: of each case.
        risk: of each case.

    Examples:
        >>> area_under_risk_coverage([0.9, 0.8, 0.1], [0.0, 0.3, 0.6])
        0.15
    """
    known = np.nan_to_num(np.asarray(confidence, dtype=np.float64), nan=-inf)
    risks = np.asarray(risk, dtype=np.float64)
    alike = np.array([risks[known == value].mean() for value in known])
    ordered = alike[np.argsort(-known, kind="stable")]
    return round(float((ordered.cumsum() / np.arange(1, len(ordered) + 1)).mean()), 12)


def mean_confidence(run: Run) -> dict[str, float]:
    """For each case the mean of the highest probability over the voxels in the run's bins; NaN without voxels."""
    return {case: (bins.confidence.sum() / bins.total).item() for case, bins in run.case_bins.items()}


def expected_dice(run: Run) -> dict[str, float]:
    """For each case its expected Dice, NaN if a structure has none: a missed structure must not look sure."""
    return {case: fmean(row) for case, row in case_columns(run, EXPECTED).items()}


def doubtful_first(run: Run) -> list[str]:
    """The cases by expected Dice, the lowest first, after cases with a structure that has no expected Dice."""
    expected = expected_dice(run)
    return sorted(expected, key=lambda case: (not isnan(expected[case]), expected[case]))


def doubts_table(runs: Sequence[Run]) -> Table | None:
    """A table with a row for each run: AURC by expected Dice and by mean confidence. The note names cases to look at.

    None if no run has an expected Dice.
    """
    shown = _with_expected(runs)
    if not shown:
        return None
    header = ["", "by expected Dice", "by mean confidence", "best order", "by chance"]
    cells = [[run.name, *map(RISK.shown, _areas(run))] for run in shown]
    told = [f"{run.name}: {', '.join(_named(run))}" for run in shown]
    note = f"{ABOUT}Look first at these cases with the lowest expected Dice:"
    return Table("Which cases to look at: AURC", header, cells, unmarked(cells), note, listed=told)


def doubts_figure(runs: Sequence[Run]) -> Figure | None:
    """Expected against true Dice of each case, a panel for each run. The most doubtful cases are numbered and named.

    None if no run has an expected Dice.
    """
    shown = _with_expected(runs)
    if not shown:
        return None
    columns, rows = min(PANELS, len(shown)), ceil(len(shown) / PANELS)
    figure = Figure(figsize=(4.4 * columns, 4.4 * rows), layout="constrained")
    for axes, run in zip_longest(figure.subplots(rows, columns, squeeze=False).flat, shown):
        if run is None:
            axes.set_axis_off()
            continue
        expected = case_values(run, EXPECTED)
        points = {case: (value, run.dice(case)) for case, value in expected.items()}
        known = {case: point for case, point in points.items() if not any(map(isnan, point))}
        if known:
            axes.scatter(*zip(*known.values(), strict=True), s=14, color=class_color(5))
        axes.axline((0, 0), slope=1, color="#999999", linewidth=1)
        named = [case for case in doubtful_first(run) if case in known][:MOST_NAMED]
        for number, case in enumerate(named, start=1):
            axes.annotate(f"{number}", known[case], xytext=(4, -3), textcoords="offset points", fontsize="small")
            axes.scatter([], [], marker=f"${number}$", color="black", label=wrapped(case, 24))
        if named:
            axes.legend(title="look first at", fontsize="small", loc="best")
        low = max(0.0, min((min(point) for point in known.values()), default=0.0) - 0.05)
        axes.set(xlim=(low, 1), ylim=(low, 1), xlabel="expected Dice", ylabel="Dice", title=wrapped(run.name, 34))
    return figure


def _with_expected(runs: Sequence[Run]) -> list[Run]:
    """The runs that have an expected Dice of cases."""
    return [run for run in runs if EXPECTED in run.metrics and case_values(run, EXPECTED)]


def _areas(run: Run) -> list[float]:
    """AURC by expected Dice, by mean confidence, by the Dice itself, and by chance, over the cases that have a Dice."""
    risk = {case: 1 - run.dice(case) for case in run.cases if not isnan(run.dice(case))}
    if not risk:
        return [nan] * 4
    best = {case: -value for case, value in risk.items()}
    orders: list[Mapping[str, float]] = [expected_dice(run), mean_confidence(run), best]
    areas = [
        area_under_risk_coverage([order.get(case, nan) for case in risk], list(risk.values())) if order else nan
        for order in orders
    ]
    return [*areas, mean_of_known(risk.values())]


def _named(run: Run) -> list[str]:
    """The most doubtful cases and their expected Dice."""
    expected = expected_dice(run)
    return [f"{case} ({DICE.shown(expected[case])})" for case in doubtful_first(run)[:MOST_NAMED]]
