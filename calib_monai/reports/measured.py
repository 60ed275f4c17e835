"""Measured: each measure with its sentence and the value of each run, its interval and its mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from calib_monai.reports.case_intervals import value_and_interval
from calib_monai.reports.results import marks_of, shown_measures
from calib_monai.reports.runs import Run
from calib_monai.reports.sentences import sentence_of
from calib_monai.reports.table import kinds_of


class Value(NamedTuple):
    """The name of a run, its value and the 95 % interval as text, "" if there is none, and its mark."""

    run: str
    value: str
    interval: str
    mark: str


class Measured(NamedTuple):
    """A measure's title, what it says, the value of each run, and whether it is one of the papers' (`PAPERS`)."""

    title: str
    sentence: str
    values: Sequence[Value]
    kind: str


def measured(runs: Sequence[Run], *, with_values: bool = True) -> list[Measured]:
    """What the page says of each measure, the papers' last.

    Args:
        runs: runs of the same cases.
        with_values: whether the runs' values are shown, too.
    """
    measures = shown_measures(runs)
    marks = marks_of(measures, runs) if with_values else {}
    return [
        Measured(
            measure.title,
            sentence_of(name, measure, _settings(name, runs)),
            [
                Value(run.name, *value_and_interval(run, name, measure), mark)
                for run, mark in zip(runs, marks[name], strict=True)
            ]
            if with_values
            else [],
            kind,
        )
        for (name, measure), kind in zip(measures.items(), kinds_of(measures.values()), strict=True)
    ]


def _settings(name: str, runs: Sequence[Run]) -> Mapping[str, object]:
    """The settings of a measure in the first run that has it."""
    return next((run.settings[name] for run in runs if name in run.settings), {})
