"""Curves of an experiment in which a number was varied."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from calib_monai.experiments.trials import Row
from calib_monai.measures import Measure
from calib_monai.reports.curves import Point, curves_figure
from calib_monai.reports.report import png_of

DRAWN = ("dice_foreground", "ece_plausible", "cece_plausible", "ece_foreground", "cece_foreground")
NUMBER = re.compile(r"[a-z_]*_([0-9.]+)")


def curves_of(rows: Sequence[Row], measures: Mapping[str, Measure], axis: str, plain: float | None) -> bytes:
    """PNG of measures against the number at the end of each row's setting, as in "noise_0.02".

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
    numbers = {row.name: _number(row) for row in rows}
    varied = {row.label for row in rows if numbers[row.name] is not None}
    if not varied:
        raise ValueError(f"no name of a trial ends in a number of {axis!r}, such as noise_0.02")
    panels: dict[Measure, dict[str, list[Point]]] = {}
    levels: dict[Measure, dict[str, float]] = {}
    for name in DRAWN:
        if name not in measures:
            continue
        curves, across = panels.setdefault(measures[name], {}), levels.setdefault(measures[name], {})
        for row in rows:
            at = numbers[row.name]
            if row.label in varied and (at is not None or not row.setting):
                point = Point(plain if at is None else at, row.value(name), row.deviation(name))
                curves.setdefault(row.label, []).append(point)
            elif row.label not in varied:
                across[row.name] = row.value(name)
    return png_of(curves_figure(panels, axis, levels))


def _number(row: Row) -> float | None:
    """The number that a row varied, None where its name has none."""
    found = NUMBER.fullmatch(row.setting)
    return float(found[1]) if found else None
