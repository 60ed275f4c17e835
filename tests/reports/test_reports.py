"""Reports: a table and pictures of what evaluations left."""

from __future__ import annotations

import csv
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from calib_monai.bins import class_bins, top_label_bins
from calib_monai.reports.__main__ import main
from calib_monai.reports.runs import read_run
from calib_monai.reports.table import results_table


def write_run(folder: Path, sharpness: float) -> Path:
    """What an evaluation of three cases would have left."""
    generator = torch.Generator().manual_seed(0)
    rows, bins = [], {}
    (folder / "slices").mkdir(parents=True)
    for name in ("a", "b", "c"):
        probs = (sharpness * torch.randn(1, 3, 12, 10, generator=generator)).softmax(dim=1)
        label = torch.randint(3, (1, 1, 12, 10), generator=generator)
        top, classes = (make(probs, label, label > 0) for make in (top_label_bins, class_bins))
        bins[name] = {"top_label": top[0].to_dict(), "classes": classes[0].to_dict()}
        rows.append({"case": name, "dice_foreground_left": ord(name) / 200, "ece_foreground": 0.1})
        np.savez(folder / "slices" / f"{name}.npz", image=probs[0, 0], label=label[0, 0], probs=probs[0], index=3)
    with (folder / "cases.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    metrics = {"dice_foreground": {"value": 0.8125}, "hd95_mm": {"value": 1.5}, "ece_foreground": {"value": 0.0444}}
    (folder / "model.pt").touch()
    about = {"model": {"path": str(folder / "model.pt"), "modified": time.time() + 1}, "num_cases": 3}
    about["class_names"] = ["background", "left", "right"]
    (folder / "summary.json").write_text(json.dumps(about | {"metrics": metrics}))
    (folder / "bins.json").write_text(json.dumps({"region": "foreground", "num_bins": 15, "cases": bins}))
    return folder


def test_two_runs_become_a_table_and_two_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [write_run(tmp_path / "mild", 1.0), write_run(tmp_path / "sharp" / "eval", 5.0)]
    assert main([*map(str, runs), "--out", str(tmp_path / "report")]) == 0
    printed = capsys.readouterr().out
    assert "| mild " in printed
    assert "| sharp |" in printed
    for path in ("results.md", "reliability.png", "b.png"):
        assert str(tmp_path / "report" / path) in printed
    assert imread(tmp_path / "report" / "reliability.png").std() > 0.1
    assert imread(tmp_path / "report" / "b.png").std() > 0.1


def test_the_table_says_what_was_measured(tmp_path: Path) -> None:
    table = results_table([read_run(write_run(tmp_path / "run", 1.0))])
    header, _, row = table.splitlines()
    assert [cell.strip() for cell in header.split("|")[2:-1]] == ["Dice", "HD95 (mm)", "ECE", "cases"]
    assert [cell.strip() for cell in row.split("|")[1:-1]] == ["run", "0.812", "1.50", "0.044", "3"]


def test_the_bins_of_a_run_are_those_of_all_its_cases(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    labels = [run.slice_of(case).label for case in run.cases]
    assert run.bins.total.item() == sum((label > 0).sum() for label in labels)


def test_a_model_that_is_newer_than_its_results_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_run(tmp_path / "run", 1.0)
    read_run(folder)
    assert not caplog.text
    os.utime(folder / "model.pt", (time.time() + 60,) * 2)
    read_run(folder)
    assert "newer than its evaluation" in caplog.text


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"has no summary\.json"):
        main([str(tmp_path), "--out", str(tmp_path / "report")])
    run = write_run(tmp_path / "run", 1.0)
    with pytest.raises(SystemExit, match=r"z\.npz is not there; run has the cases a, b, c"):
        main([str(run), "--out", str(tmp_path / "report"), "--case", "z"])
    assert not (tmp_path / "report").exists()
