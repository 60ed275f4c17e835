"""Curves of an experiment in which a number was varied."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from calib_monai.experiments.trials import Row
from calib_monai.measures import Measure
from calib_monai.reports.curves import Point, curves_figure
from calib_monai.reports.report import drawn

DRAWN = ("dice_foreground", "nll_all", "ece_plausible", "cece_plausible", "ece_foreground", "cece_foreground")
FIGURE = "curves"  # the beginning of its name
VARIED = re.compile(r"([a-z_]*)_([0-9.]+)")


def curves_of(rows: Sequence[Row], measures: Mapping[str, Measure], axis: str, plain: float | None) -> dict[str, bytes]:
    """PNG of measures against the number at the end of each row's setting, as in "noise_0.02", by the name of a figure.

    Each kind of setting, such as "noise", has a figure of its own, called "curves_noise". A single one is "curves".

    Args:
        rows: those of a method, and of a network where there are several, are one curve; of a method in which nothing
            was varied a line across.
        measures: how they are shown.
        axis: what the number is.
        plain: the number of the rows that did nothing differently.

    Raises:
        ValueError: no row with a number, or none given for the others.
    """
    if plain is None:
        raise ValueError(f"set --plain to what {axis!r} is where nothing was varied")
    kinds = list(dict.fromkeys(found[1] for row in rows if (found := VARIED.fullmatch(row.setting))))
    if not kinds:
        raise ValueError(f"no name of a trial ends in a number of {axis!r}, such as noise_0.02")
    shown = {name: measures[name] for name in DRAWN if name in measures}
    if len(kinds) == 1:
        return {FIGURE: _curves_of_kind(kinds[0], rows, shown, axis, plain)}
    return {
        f"{FIGURE}_{kind}": _curves_of_kind(kind, rows, shown, f"{kind.replace('_', ' ')}, {axis}", plain)
        for kind in kinds
    }


def _curves_of_kind(kind: str, rows: Sequence[Row], measures: Mapping[str, Measure], axis: str, plain: float) -> bytes:
    """PNG of measures against the number of one kind of setting."""
    numbers = {
        row.name: float(found[2]) for row in rows if (found := VARIED.fullmatch(row.setting)) and found[1] == kind
    }
    varied = {row.label for row in rows if row.name in numbers}
    panels: dict[Measure, dict[str, list[Point]]] = {}
    levels: dict[Measure, dict[str, float]] = {}
    for name, measure in measures.items():
        curves, across = panels.setdefault(measure, {}), levels.setdefault(measure, {})
        for row in rows:
            if row.name in numbers or (row.label in varied and not row.setting):
                point = Point(numbers.get(row.name, plain), row.value(name), row.deviation(name))
                curves.setdefault(row.label, []).append(point)
            elif row.label not in varied:
                across[row.name] = row.value(name)
    return drawn(curves_figure, panels, axis, levels)
