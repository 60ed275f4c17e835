"""Results of a model: what an evaluation measured, for the metadata and the page of its bundle."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from calib_monai.measures import measure_from, measure_of
from calib_monai.stored import Evaluated, read_whole

DIGITS = 4
SECOND = 0.001  # to which file systems keep the time of a file
PERFORMANCE = r"(?ms)^## Performance$.*?(?=^#{1,2} |\Z)"  # of a page, up to its next title
UNKNOWN = "Of these weights none are told here: evaluate them, and show what `eval/summary.csv` says."


@dataclass(frozen=True)
class Results:
    """What an evaluation measured: values by the names of the metrics, and a table of them."""

    metrics: dict[str, float]
    table: str


def results_of(folder: Path, weights: Path, class_names: list[str] | None) -> Results:
    """The results in the folder of an evaluation.

    Args:
        folder: `output_dir` of the evaluation, with its summary.json.
        weights: the file of weights that was evaluated.
        class_names: those of the bundle; None if it names none.

    Raises:
        ValueError: there is no such summary, or it belongs to other weights, other classes, a calibrator or disturbed
            images, or an ensemble.
    """
    path = folder / "summary.json"
    if not path.is_file():
        raise ValueError(
            f"{path} is not there: an evaluation writes it (configs/train.json with configs/evaluate.json)"
        )
    try:
        summary = read_whole(path, Evaluated, "evaluate again")
        modified, metrics = float(summary["model"]["modified"]), dict(summary["metrics"])
        values = {name: told["value"] for name, told in metrics.items() if told["value"] is not None}
        shown = [_row(name, metrics[name]) for name in values]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no summary of an evaluation: {error}") from None
    if abs(modified - weights.stat().st_mtime) > SECOND:
        raise ValueError(
            f"{path} was measured with weights of {_time(modified)}, and {weights} is of"
            f" {_time(weights.stat().st_mtime)}: evaluate these weights"
        )
    own: dict[str, Any] = {"calibrator": "none", "disturbance": [], "part": "test", "elsewhere": None, "members": []}
    own |= {} if class_names is None else {"class_names": class_names}
    for name, wanted in own.items():
        found = summary.get(name, wanted)
        if found != wanted:
            raise ValueError(f"{path} has {name} {json.dumps(found)[:80]}; the bundle's own is {json.dumps(wanted)}")
    counted = f"Means over {summary['num_cases']} test cases."
    rows = ["| measure | value |", "| --- | --- |", *shown, "", counted]
    return Results({name: round(value, DIGITS) for name, value in values.items()}, "\n".join(rows))


def page_with(page: str, table: str | None) -> str:
    """A page that shows these results, or says that none are known, instead of those of other weights."""
    told = f"## Performance\n\n{table or UNKNOWN}\n\n"
    return re.sub(PERFORMANCE, lambda _: told, page).rstrip("\n") + "\n"


def _row(name: str, told: dict[str, Any]) -> str:
    """A row of the table, as a report shows it."""
    measure = measure_from(name, told["measure"]) if "measure" in told else measure_of(name)
    return f"| {measure.title} | {measure.shown(told['value'])} |"


def _time(seconds: float) -> str:
    """A time of a file as people read it."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(sep=" ", timespec="seconds")
