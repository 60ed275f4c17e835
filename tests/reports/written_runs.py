"""Runs and trials as an evaluation and the workflow leave them, with values that a test chooses."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from calib_monai.bins import class_bins, top_label_bins
from calib_monai.regions import Plausible
from calib_monai.reports.cases_file import columns_of
from calib_monai.reports.radar import radar_figure
from calib_monai.reports.report import drawn
from calib_monai.reports.runs import Run

MANY = "abcdef"  # cases of which not all differences may be chance


def write_run(folder: Path, sharpness: float, dataset: str = "brains", cases: str = "abc") -> Path:
    """What an evaluation of these cases would have left, each a letter."""
    generator = torch.Generator().manual_seed(0)
    rows, bins = [], {}
    (folder / "slices").mkdir(parents=True)
    for name in cases:
        probs = (sharpness * torch.randn(1, 3, 12, 10, generator=generator)).softmax(dim=1)
        label = torch.randint(3, (1, 1, 12, 10), generator=generator)
        inside = Plausible().mask(label, probs)[0, 0]
        voxels = probs[0][:, inside], label[0, 0][inside]
        bins[name] = {"top_label": top_label_bins(*voxels).to_dict(), "classes": class_bins(*voxels).to_dict()}
        bins[name]["num_voxels"] = 480
        rows.append({"case": name, "dice_foreground_left": ord(name) / 200, "ece_plausible": 0.1})
        np.savez(
            folder / "slices" / f"{name}.npz",
            image=probs[0, 0],
            label=label[0, 0],
            probs=probs[0],
            index=3,
            from_below=True,
        )
    with (folder / "cases.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    metrics = {"dice_foreground": {"value": 0.8125}, "hd95_mm": {"value": 1.5}, "ece_plausible": {"value": 0.0444}}
    (folder / "model.pt").touch()
    about = {"model": {"path": str(folder / "model.pt"), "modified": time.time() + 1}, "num_cases": len(cases)}
    about |= {
        "class_names": ["background", "left", "right"],
        "dataset": dataset,
        "method": (folder.parent if folder.name == "eval" else folder).name,
    }
    (folder / "summary.json").write_text(json.dumps(about | {"metrics": metrics}))
    edges = np.linspace(-30, 30, 241)
    count = [
        [np.histogram(sharpness * (2 * (k == truth) - 1), edges)[0].tolist() for k in range(3)] for truth in range(3)
    ]
    (folder / "logits.json").write_text(json.dumps({"edges": edges.tolist(), "count": count}))
    (folder / "bins.json").write_text(json.dumps({"region": "plausible", "num_bins": 15, "cases": bins}))
    return folder


def radar_alone(make: Callable[..., Figure], *arguments: Any) -> bytes:
    """`drawn` that draws the radar alone: the pictures of a data set are drawn in other tests."""
    return drawn(make, *arguments) if make is radar_figure else b"png"


def with_value(run: Run, name: str, value: float) -> None:
    """Let a run have this value of a measure, a little less in its first cases and a little more in its last."""
    run.metrics[name] = value
    for column in columns_of(name, run.metrics, run.cases["a"]) or [name]:
        for row, off in zip(run.cases.values(), np.linspace(-0.01, 0.01, len(run.cases)), strict=True):
            row[column] = value + float(off)


def write_trial(
    out: Path,
    name: str,
    dice: list[float],
    *,
    ece: list[float] | None = None,
    seed: int = 0,
    fold: int = 0,
    cases: str = "abc",
    evaluation: str = "eval",
    nll: list[float] | None = None,
    part: str = "test",
) -> Path:
    """What the workflow would have left of a training `name` that reached this Dice in each of these cases."""
    folder = out / "unet" / name / f"seed{seed}_fold{fold}" / evaluation
    write_run(folder, 1.0, cases=cases[: len(dice)])
    values_of = {"dice_foreground": dice, "ece_plausible": ece or [0.1] * len(dice)} | ({"nll_all": nll} if nll else {})
    of_case = dict(zip(cases, zip(*values_of.values(), strict=True), strict=False))
    with (folder / "cases.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "dice_foreground_left", *list(values_of)[1:]])
        writer.writerows([case, *values] for case, values in of_case.items())
    summary = json.loads((folder / "summary.json").read_text())
    means = np.nanmean(list(of_case.values()), axis=0).tolist()
    summary["metrics"] = {key: {"value": mean} for key, mean in zip(values_of, means, strict=True)}
    summary["part"] = part
    (folder / "summary.json").write_text(json.dumps(summary))
    record = {
        "options": {"--dataset_dir": "DATA", "--epochs": "2", "--seed": str(seed)},
        "seconds": 36.0,
        "started": "2026-11-23T05:45:32+00:00",
        "commit": "abc",
        "versions": {"torch": "2.13.0"},
        "hardware": {"device": "processor"},
    }
    for path in (folder.parent / "train.json", folder / "evaluate.json"):
        path.write_text(json.dumps(record))
    return folder
