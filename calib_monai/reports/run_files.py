"""Run files: reads runs from the folders that evaluations wrote."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from calib_monai.bins import Bins
from calib_monai.measures import measure_from
from calib_monai.reports.cases_file import read_cases
from calib_monai.reports.names import with_calibrator
from calib_monai.reports.runs import LogitCounts, Run

logger = logging.getLogger(__name__)

OF_BUNDLES = re.compile(r"eval(_ensemble)?(_validation|_on_.+)?(_l?ts)?")  # names of folders in a bundle's
USUAL = "all"  # voxels that a calibrator is fitted to
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
        return _read(folder)
    except KeyError as error:
        raise ValueError(f"{folder} has no {error} in its files: an older version wrote them; evaluate again") from None
    except (ValueError, TypeError, AttributeError, RuntimeError, ArithmeticError) as error:
        raise ValueError(f"the files in {folder} are damaged ({error}): evaluate again") from None


def _read(folder: Path) -> Run:
    """The run in a folder that has all its files."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    bins = json.loads((folder / "bins.json").read_text(encoding="utf-8"))
    cases, patients = read_cases(folder, summary["num_cases"], bins["cases"])
    for name in ("model", *({"calibrator_file"} & summary.keys())):
        path = Path(summary[name]["path"])
        if path.is_file() and path.stat().st_mtime > summary[name]["modified"]:
            logger.warning("%s is newer than its evaluation in %s: evaluate again", path, folder)
    top_label, classes = (_stacked(kind, bins["cases"].values()) for kind in ("top_label", "classes"))
    name, suffix = _name(folder.resolve(), summary)
    return Run(
        name=name + suffix,
        suffix=suffix,
        dataset=summary["dataset"],
        method=summary["method"],
        folder=folder,
        class_names=summary["class_names"],
        metrics={name: _number(metric["value"]) for name, metric in summary["metrics"].items()},
        cases=cases,
        patients=patients,
        region=bins["region"],
        num_voxels=sum(float(case.get("num_voxels", math.nan)) for case in bins["cases"].values()),
        bins=top_label.sum(),
        class_bins=classes.sum(),
        logits=_logits(folder / "logits.json"),
        settings={name: metric.get("settings", {}) for name, metric in summary["metrics"].items()},
        disturbance=summary.get("disturbance"),
        measures={
            name: measure_from(name, metric["measure"])
            for name, metric in summary["metrics"].items()
            if "measure" in metric
        },
        case_bins={case: top_label[place] for place, case in enumerate(bins["cases"])},
        voxels={name: metric["voxels"] for name, metric in summary["metrics"].items() if "voxels" in metric},
        model=", ".join(summary.get("members", [])) or summary["model"]["path"],
        calibrator=summary.get("calibrator", "none"),
        trained_on=summary.get("trained_on", summary["dataset"]),
        test_dir=str((summary.get("elsewhere") or {}).get("test_dir", "")),
        part=str(summary.get("part", "test")),
        aurc={name: _number(area) for name, area in (summary.get("aurc") or {}).items()},
    )


def _stacked(kind: str, of_cases: Iterable[Mapping[str, Any]]) -> Bins:
    """The bins of a kind of all cases, stacked along a first axis."""
    kept = [of_case[kind] for of_case in of_cases]
    return Bins.from_dict({field.name: [of_case[field.name] for of_case in kept] for field in fields(Bins)})


def _number(value: float | None) -> float:
    """A number of a JSON file, which has null in the place of NaN."""
    return math.nan if value is None else float(value)


def _is_of_bundle(name: str) -> bool:
    """Whether an evaluation's folder of this name lies in the folder of a bundle, by which it is called."""
    return OF_BUNDLES.fullmatch(name) is not None


def _name(folder: Path, summary: Mapping[str, Any]) -> tuple[str, str]:
    """The name of a run by its bundle or its own folder, and a suffix: its calibrator and its method if not in it."""
    name, suffix = folder.parent.name if _is_of_bundle(folder.name) else folder.name, ""
    calibrator, region, method = summary.get("calibrator", "none"), summary.get("calibrator_region"), summary["method"]
    if calibrator != "none":
        name, suffix = name.removesuffix(f"_{calibrator}"), with_calibrator("", calibrator)
        suffix += f" ({region})" if region and region != USUAL else ""
    count = len(summary.get("members", []))
    name = f"{name}, ensemble of {count}" if count else name
    return name, suffix if f"_{method}_" in f"_{name}_".replace(",", "_") else f"{suffix} ({method})"


def _logits(path: Path) -> LogitCounts | None:
    """The histograms of the logits, None where there is no such file."""
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    return LogitCounts(np.asarray(content["edges"], dtype=np.float64), np.asarray(content["count"], dtype=np.int64))
