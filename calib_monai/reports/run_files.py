"""Run files: reads runs from the folders that evaluations wrote."""

from __future__ import annotations

import csv
import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError as Invalid
from torch import Tensor

from calib_monai.bins import Bins
from calib_monai.measures import check_limits, is_of_cases, measure_from, measure_of
from calib_monai.reports.cases_file import columns_of, read_cases
from calib_monai.reports.names import with_calibrator
from calib_monai.reports.runs import LogitCounts, Run, mean_of_known, means_of_known
from calib_monai.stored import (
    ClassBins,
    StoredBins,
    StoredLogits,
    Summary,
    TopLabelBins,
    first_fault,
    first_missing,
)
from calib_monai.whole_files import number, read_json

logger = logging.getLogger(__name__)

OF_BUNDLES = re.compile(r"eval(_ensemble)?(_validation|_on_.+)?(_l?ts)?")  # names of folders in a bundle's
USUAL = "all"  # voxels that a calibrator is fitted to
ROUNDING = 1e-6  # of sums, relative, with room
OF_MEANS = 1e-4  # of means over cases, relative, as they are written
FILES = ("summary.json", "cases.csv", "bins.json")


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """The runs in these folders; runs with equal names get the part of their path in which they differ as name.

    Raises:
        ValueError: as `read_run`, or a folder that is given twice.
    """
    runs = [read_run(folder) for folder in folders]
    places = [run.folder.resolve() for run in runs]
    for place in places:
        if places.count(place) > 1:
            raise ValueError(f"{place} is given twice; give each run once")
    of_name: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        of_name.setdefault((run.name, run.test_dir), []).append(run)
    paths = {folder: path for group in of_name.values() for folder, path in _told_apart(group).items()}
    return [replace(run, name=paths[run.folder] + run.suffix) if run.folder in paths else run for run in runs]


def _told_apart(runs: Sequence[Run]) -> dict[Path, str]:
    """For each folder the shortest end of its path that no other run has, at least two parts; empty for one run."""
    if len(runs) == 1:
        return {}
    whole = [run.folder.resolve().parts for run in runs]
    short = [tuple(part for part in parts if not _is_of_bundle(part)) for parts in whole]
    paths = short if len(set(short)) == len(short) else whole
    for length in range(2, max(map(len, paths)) + 1):
        names = ["/".join(parts[-length:]) for parts in paths]
        if len(set(names)) == len(names):
            break
    return dict(zip((run.folder for run in runs), names, strict=True))


def read_run(folder: Path) -> Run:
    """The run in a folder that `evaluate.json` wrote.

    Raises:
        ValueError: a folder that lacks one of its files, or a file that lacks what this version writes.
    """
    for name in FILES:
        if not (folder / name).is_file():
            raise ValueError(f"{folder} has no {name}; it must be the output_dir of an evaluation")
    try:
        summary = Summary.model_validate(read_json(folder / "summary.json"))
        return _read(folder, summary, StoredBins.model_validate(read_json(folder / "bins.json")))
    except Invalid as error:
        if lacking := first_missing(error):
            older = f"{folder} has no {lacking!r} in its files: an older version wrote them; evaluate again"
            raise ValueError(older) from None
        raise ValueError(f"the files in {folder} are damaged ({first_fault(error)}): evaluate again") from None
    except (
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        RuntimeError,
        ArithmeticError,
        OSError,
        csv.Error,
    ) as error:
        raise ValueError(f"the files in {folder} are damaged ({error}): evaluate again") from None


def _read(folder: Path, summary: Summary, stored: StoredBins) -> Run:
    """The run in a folder that has all its files."""
    cases, patients = read_cases(folder, summary.num_cases, stored.cases)
    for file in filter(None, (summary.model, summary.calibrator_file)):
        path = Path(file.path)
        if path.is_file() and path.stat().st_mtime > file.modified:
            logger.warning("%s is newer than its evaluation in %s: evaluate again", path, folder)
    size = len(summary.class_names), stored.num_bins
    top_label = _stacked({case: one.top_label for case, one in stored.cases.items()}, size[1:])
    classes = _stacked({case: one.classes for case, one in stored.cases.items()}, size)
    name, suffix = _name(folder.resolve(), summary)
    metrics = summary.metrics.items()
    check_values({metric: number(measured.value) for metric, measured in metrics}, cases)
    check_means(folder, summary, cases)
    check_voxels(stored)
    return Run(
        name=name + suffix,
        suffix=suffix,
        dataset=summary.dataset,
        method=summary.method,
        folder=folder,
        class_names=summary.class_names,
        metrics={name: number(metric.value) for name, metric in metrics},
        cases=cases,
        patients=patients,
        region=stored.region,
        num_voxels=sum(number(case.num_voxels) for case in stored.cases.values()),
        bins=top_label.sum(),
        class_bins=classes.sum(),
        logits=_logits(folder / "logits.json", len(summary.class_names)),
        settings={name: metric.settings for name, metric in metrics},
        disturbance=None if summary.disturbance is None else [step.model_dump() for step in summary.disturbance],
        measures={name: measure_from(name, metric.measure) for name, metric in metrics if metric.measure is not None},
        case_bins={case: top_label[place] for place, case in enumerate(stored.cases)},
        case_voxels={case: one.num_voxels for case, one in stored.cases.items() if one.num_voxels is not None},
        case_labels={case: one.label for case, one in stored.cases.items() if one.label},
        voxels={name: metric.voxels for name, metric in metrics if metric.voxels is not None},
        model=", ".join(summary.members) or summary.model.path,
        weights=summary.model.weights,
        calibrator=summary.calibrator,
        fitted_patients=summary.calibrator_patients,
        trained_on=summary.trained_on or summary.dataset,
        test_dir=summary.elsewhere.test_dir if summary.elsewhere else "",
        part=summary.part,
        aurc={name: number(area) for name, area in (summary.aurc or {}).items()},
        cautions=summary.cautions,
        network=summary.network,
    )


def check_values(metrics: Mapping[str, float], cases: Mapping[str, Mapping[str, float]]) -> None:
    """Raise ValueError if a metric cannot have its value, over all cases or in one."""
    names, columns = list(cases), next(iter(cases.values()), {})
    for name, value in metrics.items():
        check_limits(name, None if math.isnan(value) else value)
        for column in columns_of(name, metrics, columns):
            values = np.array([row[column] for row in cases.values()])
            known = np.flatnonzero(~np.isnan(values))
            for place in {known[values[known].argmin()], known[values[known].argmax()]} if known.size else ():
                check_limits(name, float(values[place]), f"{column} of {names[place]}")


def check_means(folder: Path, summary: Summary, cases: Mapping[str, Mapping[str, float]]) -> None:
    """Raise ValueError if a mean over cases in `summary.json` is not that of the values in `cases.csv`."""
    for name, metric in summary.metrics.items():
        columns = columns_of(name, summary.metrics, next(iter(cases.values()), {}))
        if not columns or not metric.columns or not is_of_cases(name, metric.settings):
            continue  # of no columns an earlier version says nothing
        values = {case: [row[column] for column in columns] for case, row in cases.items()}
        counts, told = measure_of(name).counts, number(metric.value)
        found = np.nansum([*values.values()]) if counts else mean_of_known(means_of_known(values).values())
        if not np.isclose(found, told, rtol=OF_MEANS, atol=OF_MEANS**2, equal_nan=True):
            raise ValueError(
                f"{folder / 'summary.json'} says {name} {told:g}, and the {'sum' if counts else 'mean'} of the cases "
                f"in {folder / 'cases.csv'} is {found:g}: one of the files was changed"
            )


def check_voxels(stored: StoredBins) -> None:
    """Raise ValueError if a case has fewer voxels than its bins."""
    for case, bins in stored.cases.items():
        if bins.num_voxels is not None and bins.top_label.total > bins.num_voxels * (1 + ROUNDING):
            raise ValueError(
                f"bins.json has {bins.num_voxels:g} voxels of {case}, and {bins.top_label.total:g} of them in bins"
            )


def _stacked(bins: Mapping[str, TopLabelBins | ClassBins], size: tuple[int, ...]) -> Bins:
    """The bins of all cases, stacked along a first axis; ValueError if a case has others, or no numbers of voxels.

    Args:
        bins: of each case, (num_bins,), or of each class, (C, num_bins).
        size: num_bins, or C and num_bins.
    """
    names = [field.name for field in fields(Bins)]
    for case, one in bins.items():
        for name in names:
            wanted = size[:-1] if name == "total" else size
            if (found := _size(getattr(one, name))) != wanted:
                raise ValueError(f"bins.json has for {case} bins of the size {found}; it must be {wanted}")
    stacked = Bins.from_dict({name: [getattr(one, name) for one in bins.values()] for name in names})
    wrong = contradicting(stacked).view(len(bins), -1).any(dim=1)
    if wrong.any():
        case = list(bins)[int(wrong.int().argmax())]
        raise ValueError(f"bins.json has for {case} numbers of voxels that contradict each other")
    return stacked


def contradicting(bins: Bins) -> Tensor:
    """Whether the numbers of voxels of bins contradict each other, (...)."""
    most = bins.count * (1 + ROUNDING) + ROUNDING
    parts = (bins.count, bins.confidence, bins.correctness)
    wrong = torch.stack([(part < 0) | (part > most) for part in parts]).any(dim=0).any(dim=-1)
    return wrong | ((bins.count.sum(dim=-1) - bins.total).abs() > ROUNDING * bins.total)


def _size(values: Any) -> tuple[int, ...]:
    """The size of nested lists along each axis; -1 where they differ."""
    if not isinstance(values, list):
        return ()
    inner = {_size(one) for one in values} if values and isinstance(values[0], list) else {()}
    return (len(values), *(inner.pop() if len(inner) == 1 else (-1,)))


def _is_of_bundle(name: str) -> bool:
    """Whether an evaluation's folder of this name lies in the folder of a bundle, by which it is called."""
    return OF_BUNDLES.fullmatch(name) is not None


def _name(folder: Path, summary: Summary) -> tuple[str, str]:
    """The name of a run by its bundle or its own folder, and a suffix: its calibrator and its method if not in it."""
    calibrator, region, method = summary.calibrator, summary.calibrator_region, summary.method
    is_of_bundle, suffix = _is_of_bundle(folder.name), ""
    name = folder.parent.name if is_of_bundle else folder.name
    if calibrator != "none":
        name, suffix = name if is_of_bundle else name.removesuffix(f"_{calibrator}"), with_calibrator("", calibrator)
        suffix += f" ({region})" if region and region != USUAL else ""
    count = len(summary.members)
    name = f"{name}, ensemble of {count}" if count else name
    return name, suffix if f"_{method}_" in f"_{name}_".replace(",", "_") else f"{suffix} ({method})"


def _logits(path: Path, num_classes: int) -> LogitCounts | None:
    """The histograms of the logits, None where there is no such file; ValueError if they are of other classes."""
    if not path.is_file():
        return None
    content = StoredLogits.model_validate(read_json(path))
    edges, count = np.asarray(content.edges, dtype=np.float64), np.asarray(content.count, dtype=np.int64)
    if count.shape != (num_classes, num_classes, len(edges) - 1) or not (np.diff(edges) > 0).all():
        raise ValueError(
            f"{path.name} has {' x '.join(map(str, count.shape))} counts and {len(edges)} edges, which must rise, "
            f"of {num_classes} classes"
        )
    largest = None if content.largest is None else np.asarray(content.largest, dtype=np.int64)
    if largest is not None and largest.shape != count.shape[1:]:
        raise ValueError(f"{path.name} has {' x '.join(map(str, largest.shape))} counts of the largest logit")
    return LogitCounts(edges, count, largest)
