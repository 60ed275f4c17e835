"""Figures of an experiment: Dice against calibration errors, errors of each patient, logits of each class."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import chain
from math import isnan
from statistics import stdev

from calib_monai.estimates import mean_over_trainings
from calib_monai.experiments.trials import Row, Trial
from calib_monai.measures import Measure
from calib_monai.reports.bars import Panel, bars_figure
from calib_monai.reports.boxes import boxes_figure
from calib_monai.reports.curves import Point, curves_figure
from calib_monai.reports.plane import Spot, plane_figure
from calib_monai.reports.report import drawn
from calib_monai.reports.runs import LogitCounts, mean_of_known
from calib_monai.whole_files import read_csv

DICE = "dice_foreground"
ERRORS = ("ece_foreground", "ece_plausible", "ece_boundary")  # those of the papers first
HISTORY = "history.csv"
LARGEST, OWN = "max_logit", "mean_logit"  # columns of a history, with the number of a class behind a slash

logger = logging.getLogger(__name__)


def figures_of(rows: Sequence[Row], measures: Mapping[str, Measure]) -> dict[str, bytes]:
    """PNG files by name: "dice_and_ece", "ece_of_patients", "logits_of_classes" and "logits_over_epochs".

    A figure is left out where nothing was measured for it.

    Args:
        rows: at most as many as a figure can show.
        measures: of all rows.
    """
    known = [name for name in ERRORS if name in measures and any(not isnan(row.value(name)) for row in rows)]
    errors = {name: measures[name] for name in known}
    figures = {}
    if errors and DICE in measures and len(rows) > 1:
        figures["dice_and_ece"] = drawn(plane_figure, spots_of(rows, errors), measures[DICE])
    if errors:
        figures["ece_of_patients"] = drawn(boxes_figure, of_patients(rows, errors))
    if panels := logit_panels(rows):
        figures["logits_of_classes"] = drawn(bars_figure, panels)
    if curves := logits_over_epochs(rows):
        figures["logits_over_epochs"] = drawn(curves_figure, curves, "epoch", {measure: {} for measure in curves})
    return figures


def spots_of(rows: Sequence[Row], errors: Mapping[str, Measure]) -> dict[Measure, dict[str, Spot]]:
    """For `plane_figure`: by error, where each row lies, and each of its seeds; rows without a value are left out."""
    return {
        error: {
            row.name: Spot(*_place(row, name), trainings=[_place(one, name) for one in row.of_seeds])
            for row in rows
            if not isnan(row.value(name)) and not isnan(row.value(DICE))
        }
        for name, error in errors.items()
    }


def _place(row: Row, error: str) -> tuple[float, float]:
    """The error and the Dice of a row."""
    return row.value(error), row.value(DICE)


def of_patients(rows: Sequence[Row], errors: Mapping[str, Measure]) -> dict[Measure, dict[str, list[float]]]:
    """For `boxes_figure`: by error, of each row the value of each patient, averaged over cases and trainings."""
    found: dict[Measure, dict[str, list[float]]] = {}
    for name, error in errors.items():
        for row in rows:
            of_cases = mean_over_trainings(row.by_seed(name)).tolist()
            patients: dict[str, list[float]] = {}
            for patient, value in zip(row.patients, of_cases, strict=True):
                patients.setdefault(patient, []).append(value)
            found.setdefault(error, {})[row.name] = [mean_of_known(values) for values in patients.values()]
    return found


def logit_panels(rows: Sequence[Row]) -> list[Panel]:
    """Bars of each class over the voxels that are of it: the mean of its own logit, and of the largest logit.

    The means are those of histograms with bins of 0.25. Rows without histograms are left out, and so is the largest
    logit where a row did not keep it.
    """
    kept = {row.name: counts for row in rows if (counts := row.run.logits) is not None}
    if not kept:
        return []
    names = rows[0].run.class_names
    own = {name: [_mean(counts, counts.count[k, k]) for k in range(len(names))] for name, counts in kept.items()}
    panels = [Panel("mean logit of the class", own, names)]
    largest = {
        name: [_mean(counts, of_class) for of_class in counts.largest]
        for name, counts in kept.items()
        if counts.largest is not None
    }
    return [*panels, Panel("mean of the largest logit", largest, names)] if len(largest) == len(kept) else panels


def logits_over_epochs(rows: Sequence[Row]) -> dict[Measure, dict[str, list[Point]]]:
    """For `curves_figure`: for each class, its largest and its own logit on the validation cases after each epoch.

    A curve is the mean over the trainings of a row, with the deviation between them. A row whose trainings were all
    evaluated differently, or have no such history, is left out.
    """
    plain = [row for row in rows if not row.trials[0].evaluation]
    histories = {row.name: [_history(trial) for trial in row.trials] for row in plain}
    panels: dict[Measure, dict[str, list[Point]]] = {}
    for kind, title in ((OWN, "mean logit"), (LARGEST, "largest logit")):
        for k, name in enumerate(rows[0].run.class_names):
            column = f"{kind}/{k}"
            of_rows = {row: points for row, of in histories.items() if (points := _points(of, column))}
            if of_rows:
                panels[Measure(f"{title}, {name}", 1, more_is_better=None)] = of_rows
    return panels


def _points(histories: Sequence[Sequence[Mapping[str, str]]], column: str) -> list[Point]:
    """The mean of a column over trainings, with their deviation, at each epoch that a training has."""
    at: dict[float, list[float]] = {}
    for line in chain(*histories):
        if line.get(column):
            at.setdefault(float(line["epoch"]), []).append(float(line[column]))
    return [
        Point(epoch, mean_of_known(values), stdev(values) if len(values) > 1 else float("nan"))
        for epoch, values in sorted(at.items())
    ]


def _history(trial: Trial) -> list[dict[str, str]]:
    """The lines of the history of a training, which lies beside its evaluation; none where there is no such file."""
    path = trial.run.folder.parent / HISTORY
    return read_csv(path.read_text(encoding="utf-8")) if path.is_file() else []


def _mean(counts: LogitCounts, count: Sequence[int]) -> float:
    """The mean of a histogram; NaN of no voxel."""
    middles = (counts.edges[1:] + counts.edges[:-1]) / 2
    return float((middles * count).sum() / sum(count)) if sum(count) else float("nan")
