"""Kept trials: reads the trials of an earlier table from its `results.json`."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from math import fsum, isnan, nan
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, NonNegativeInt

from calib_monai.bins import Bins
from calib_monai.experiments.results import DIGITS
from calib_monai.experiments.trials import Trial
from calib_monai.measures import check_limits, measure_from
from calib_monai.reports.runs import Run, mean_of_known
from calib_monai.stored import CaseName, Stored, read_stored

logger = logging.getLogger(__name__)

MEND = "make the table again"
NETWORK = "--network_def#_target_"
NO_BIN = torch.zeros(0, dtype=torch.float64)
NO_BINS = Bins(NO_BIN, NO_BIN, NO_BIN, NO_BIN.sum())


class KeptMeasure(Stored):
    """A measure of a row, with its value in each trial."""

    trials: list[float | None]
    structures: dict[str, float | None] = Field(default_factory=dict)


class KeptTrial(Stored):
    """A training, with the values of its cases and the share of voxels on which each measure was measured."""

    seed: NonNegativeInt
    fold: NonNegativeInt
    shares: dict[str, float] = Field(default_factory=dict)
    cases: dict[CaseName, dict[str, float | None]]


class KeptRow(Stored):
    """A row of a table. Earlier versions did not note method, network and evaluation."""

    method: str = ""
    network: str = ""
    evaluation: str = ""
    disturbance: list[dict[str, Any]] | None = None
    options: dict[str, Any]
    train_seconds: list[float | None]
    measures: dict[str, KeptMeasure]
    trials: list[KeptTrial]


class Conditions(Stored):
    """All values that occurred among the trainings of a table."""

    versions: list[Any]
    commits: list[Any]
    hardware: list[Any]
    data: list[Any]
    started: str


class KeptResults(Stored):
    """The content of a `results.json`."""

    dataset: str
    class_names: list[str] = Field(default_factory=list)
    conditions: Conditions
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)
    measures: dict[str, dict[str, Any]]
    rows: dict[str, KeptRow]
    patients: dict[CaseName, str] = Field(default_factory=dict)
    elsewhere: dict[str, Any] = Field(default_factory=dict)


def read_results_file(path: Path) -> KeptResults:
    """The content of the `results.json` of an experiment.

    Raises:
        ValueError: the file cannot be read, or is no such file; the message is one line.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not there; give the results.json of an experiment")
    content = read_stored(path, KeptResults, MEND)
    if content.elsewhere:
        logger.warning("%s has results on data of others, which are left out: %s", path, ", ".join(content.elsewhere))
    return content


def kept_trials(path: Path, content: KeptResults) -> list[Trial]:
    """The trials of a table, without what its `results.json` does not keep: bins, logits, slices and structures.

    Args:
        path: of the file; messages name it.
        content: of the file.

    Raises:
        ValueError: parts of the file contradict each other, or a row does not say what was trained.
    """
    try:
        return [
            _trial(path, content, name, row, place)
            for name, row in content.rows.items()
            for place in range(len(row.trials))
        ]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _trial(path: Path, content: KeptResults, name: str, row: KeptRow, place: int) -> Trial:
    """The trial of a row at this place."""
    lengths = {len(row.trials), len(row.train_seconds), *(len(one.trials) for one in row.measures.values())}
    if len(lengths) > 1 or row.measures.keys() - content.measures.keys():
        raise ValueError(f"{name} has other numbers of trials or other measures in its parts; {MEND}")
    kept, seconds = row.trials[place], row.train_seconds[place]
    measures = {measure: measure_from(measure, content.measures[measure]) for measure in row.measures}
    cases = {
        case: {measure: _number(values.get(measure)) for measure in measures} for case, values in kept.cases.items()
    }
    metrics = {}
    for measure, one in row.measures.items():
        check_limits(measure, value := one.trials[place])
        of_cases = [of[measure] for of in cases.values()]
        if value is not None or not all(map(isnan, of_cases)):  # else this trial was not measured by it
            metrics[measure] = _exact(_number(value), of_cases)
    method, network = (row.method, row.network) if row.method else _of_earlier_version(name, row.options)
    run = Run(
        name=name,
        dataset=content.dataset,
        method=method.partition("-")[0],
        folder=path,
        class_names=content.class_names or _class_names(row.measures),
        metrics=metrics,
        cases=cases,
        region="",
        bins=NO_BINS,
        class_bins=NO_BINS,
        logits=None,
        num_voxels=1.0,
        voxels=kept.shares,
        settings=content.settings,
        disturbance=row.disturbance,
        measures=measures,
        patients=content.patients,
    )
    records: dict[str, dict[str, Any]] = {
        "train": {"options": row.options, "seconds": seconds or 0.0, "resumed": seconds is None},
        "evaluate": {"options": {}},
    }
    return Trial(method, network, row.evaluation, kept.seed, kept.fold, run, records)


def _number(value: float | None) -> float:
    """A number of a JSON file, which has null in the place of NaN."""
    return nan if value is None else float(value)


def _exact(value: float, of_cases: Sequence[float]) -> float:
    """The value over all cases, from the rounded one: the mean or the sum of the cases' values, if it is one."""
    total = fsum(one for one in of_cases if not isnan(one))
    room = 2 * 10.0**-DIGITS
    for found, rounding in ((mean_of_known(of_cases), room), (total, room * len(of_cases))):
        if abs(found - value) <= rounding:
            return found
    return value


def _of_earlier_version(name: str, options: Mapping[str, Any]) -> tuple[str, str]:
    """The method and the network of a plain row.

    Raises:
        ValueError: a row that is not called by its method alone.
    """
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise ValueError(f"an earlier version wrote it, without method and network of the row {name!r}; {MEND}")
    network = str(options.get(NETWORK, "")).rpartition(".")[2]
    return name, f"{network}_3d" if options.get("--volumes") else network


def _class_names(measures: Mapping[str, KeptMeasure]) -> list[str]:
    """The names of the classes, from the measure that tells most structures apart."""
    return max((list(one.structures) for one in measures.values()), key=len, default=[])
