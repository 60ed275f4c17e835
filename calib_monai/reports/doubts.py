"""Doubts: which cases a person should look at, judged by their probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from math import ceil, inf, isnan, nan
from statistics import fmean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from calib_monai.colors import class_color
from calib_monai.intervals import FEWEST, patients_of
from calib_monai.measures import Measure
from calib_monai.reports.case_values import case_values
from calib_monai.reports.names import wrapped
from calib_monai.reports.results import DICE
from calib_monai.reports.runs import Run
from calib_monai.reports.table import Table, unmarked
from calib_monai.risk_coverage import BEST, BY_CHANCE, areas, surely_lower

EXPECTED, CONFIDENCE, BETWEEN = "expected_dice", "mean_confidence", "pairwise_dice"
ORDERS = {EXPECTED: "expected Dice", CONFIDENCE: "mean confidence", BETWEEN: "Dice between members"}
MOST_NAMED = 5  # cases
APART = 0.05  # of the axes, between two numbers
RISK = Measure("AURC")
ABOUT = (
    "Cases are sorted by a confidence, and the risk is 1 - Dice. The area under the risk-coverage curve (AURC) is the "
    "mean risk of the surest case, of the two surest, and so on to all. The lower it is, the better the confidence "
    "finds the failed cases. The best possible order is that by Dice itself; a random order has the mean risk. "
    "A case comes first if a structure has no expected Dice, because no voxel gives it at least 1 %."
)
ABOUT_MEMBERS = (
    "The Dice between members compares the segmentations of each pair of members of an ensemble; a case comes first "
    "if no member has a structure."
)
PANELS = 4  # of the figure, beside each other


def mean_confidence(run: Run) -> dict[str, float]:
    """For each case the mean of the highest probability over the voxels in the run's bins; NaN without voxels."""
    return run.of_case_bins(lambda bins: bins.confidence.sum(dim=-1) / bins.total)


def expected_dice(run: Run) -> dict[str, float]:
    """For each case its expected Dice, NaN if a structure has none: a missed structure must not look sure."""
    return {case: fmean(row) for case, row in run.columns(EXPECTED).items()}


def dice_between_members(run: Run) -> dict[str, float]:
    """For each case the mean Dice between the members of an ensemble; empty for a single network."""
    return case_values(run, BETWEEN) if BETWEEN in run.metrics else {}


def doubtful_first(run: Run) -> list[str]:
    """The cases by expected Dice, the lowest first, after cases with a structure that has no expected Dice."""
    return _lowest_first(expected_dice(run))


def doubts_table(runs: Sequence[Run]) -> Table | None:
    """A table with a row for each run: AURC by each confidence. The note says which is surely lower.

    Below it stand the cases to look at. None if no run has an expected Dice.
    """
    shown = with_expected(runs)
    if not shown:
        return None
    with_members = any(map(dice_between_members, shown))
    names = [name for name in ORDERS if name != BETWEEN or with_members]
    header = ["", *(f"by {ORDERS[name]}" for name in names), "best order", "by chance"]
    cells, told, compared = [], [], []
    for run in shown:
        risk, confidences = risk_of(run), {name: _confidence(run, name) for name in names}
        noted = {BEST, BY_CHANCE} <= run.aurc.keys()
        found = dict.fromkeys(names, nan) | dict(run.aurc if noted else areas(risk, confidences))
        cells.append([run.name, *(RISK.shown(found[name]) for name in [*names, BEST, BY_CHANCE])])
        lowest, worse = _lowest(found, risk, confidences, run.patients)
        known = _known(risk, run.patients), "patients" if run.patients else "cases"
        compared.append(f"{run.name}: {_compared(lowest, worse, *known)}")
        of_best = {lowest: f", lowest {ORDERS[lowest]}"} if EXPECTED in worse else {EXPECTED: ""}
        of_members = {BETWEEN: f", lowest {ORDERS[BETWEEN]}"} if confidences.get(BETWEEN) else {}
        for name, order in (of_best | of_members).items():
            caution = _caution(risk, confidences[name], run.patients) if name == EXPECTED else ""
            told.append(f"{run.name}{order}{caution}: {', '.join(_named(confidences[name]))}")
    about = [ABOUT, *[ABOUT_MEMBERS] * with_members, *compared]
    note = " ".join(
        [*about, "Look first at these cases, those with the lowest expected Dice unless another order is named:"]
    )
    return Table("Which cases to look at: AURC", header, cells, unmarked(cells), note, listed=told)


def risk_of(run: Run) -> dict[str, float]:
    """For each case 1 - Dice, NaN where it has none."""
    return {case: 1 - dice for case, dice in run.dices.items()}


def doubts_figure(runs: Sequence[Run]) -> Figure:
    """Expected against true Dice of each case, a panel for each run. The most doubtful cases are numbered and named.

    Args:
        runs: at least one, as `with_expected` gives them.
    """
    columns, rows = min(PANELS, len(runs)), ceil(len(runs) / PANELS)
    figure = Figure(figsize=(4.4 * columns, 4.4 * rows), layout="constrained")
    for axes, run in zip_longest(figure.subplots(rows, columns, squeeze=False).flat, runs):
        if run is None:
            axes.set_axis_off()
            continue
        dices = run.dices
        points = {case: (value, dices[case]) for case, value in case_values(run, EXPECTED).items()}
        known = {case: point for case, point in points.items() if not any(map(isnan, point))}
        if known:
            axes.scatter(*zip(*known.values(), strict=True), s=14, color=class_color(5))
        axes.axline((0, 0), slope=1, color="#999999", linewidth=1)
        low = max(0.0, min((min(point) for point in known.values()), default=0.0) - 0.05)
        named = [case for case in doubtful_first(run) if case in known][:MOST_NAMED]
        _number(axes, [known[case] for case in named], apart=APART * (1 - low))
        for number, case in enumerate(named, start=1):
            axes.plot([], [], linestyle="", label=f"{number}: {wrapped(case, 24)}")
        if named:
            below_axes: Any = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14), "ncols": 2}
            axes.legend(title="lowest expected Dice", fontsize="small", handlelength=0, handletextpad=0, **below_axes)
        axes.set(xlim=(low, 1), ylim=(low, 1), xlabel="expected Dice", ylabel="Dice", title=wrapped(run.name, 34))
    return figure


def _number(axes: Axes, points: Sequence[tuple[float, float]], *, apart: float) -> None:
    """Number points in a column left of them, with a line to each: cases of like Dice lie close to each other."""
    column = min((expected for expected, _ in points), default=0.0) - apart
    below = -inf
    for number, (expected, dice) in sorted(enumerate(points, start=1), key=lambda one: one[1][1]):
        below = max(dice, below + apart)
        axes.annotate(
            f"{number}",
            (expected, dice),
            xytext=(column, below),
            fontsize="small",
            ha="right",
            va="center",
            arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.7},
        )


def with_expected(runs: Sequence[Run]) -> list[Run]:
    """The runs that have an expected Dice of cases."""
    return [run for run in runs if EXPECTED in run.metrics and case_values(run, EXPECTED)]


def _confidence(run: Run, name: str) -> Mapping[str, float]:
    """A confidence of each case of a run, one of `ORDERS`."""
    return {EXPECTED: expected_dice, CONFIDENCE: mean_confidence, BETWEEN: dice_between_members}[name](run)


def _lowest(
    found: Mapping[str, float],
    risk: Mapping[str, float],
    confidences: Mapping[str, Mapping[str, float]],
    patients: Mapping[str, str],
) -> tuple[str, list[str]]:
    """The confidence with the lowest area, and those that are surely worse; none of few patients."""
    if _known(risk, patients) < FEWEST:
        return EXPECTED, []
    lowest, *others = sorted((name for name in confidences if not isnan(found[name])), key=found.__getitem__)
    best = confidences[lowest]
    return lowest, [name for name in others if surely_lower(risk, best, confidences[name], patients)]


def _compared(lowest: str, worse: Sequence[str], count: int, what: str) -> str:
    """A sentence that says which confidence has surely the lowest area, or that this is not known."""
    if count < FEWEST:
        return f"{count} {what} are too few to tell which confidence is better."
    if not worse:
        return f"chance may explain the difference of these confidences in {count} {what}."
    return f"{ORDERS[lowest]} is surely better than {' and '.join(ORDERS[name] for name in worse)} in cases like these."


def _caution(risk: Mapping[str, float], confidence: Mapping[str, float], patients: Mapping[str, str]) -> str:
    """What is added to a run whose confidence is not surely better than a random order; nothing of few patients."""
    by_chance = dict.fromkeys(risk, 0.0)
    tells = _known(risk, patients) < FEWEST or surely_lower(risk, confidence, by_chance, patients)
    return "" if tells else " (may be no better than chance)"


def _known(risk: Mapping[str, float], patients: Mapping[str, str]) -> int:
    """The number of patients with a risk."""
    return len(set(patients_of([case for case, value in risk.items() if not isnan(value)], patients)))


def _lowest_first(values: Mapping[str, float]) -> list[str]:
    """The cases by a value, the lowest first, after cases without a value."""
    return sorted(values, key=lambda case: (not isnan(values[case]), values[case]))


def _named(values: Mapping[str, float]) -> list[str]:
    """The most doubtful cases and their values."""
    return [f"{case} ({DICE.shown(values[case])})" for case in _lowest_first(values)[:MOST_NAMED]]
