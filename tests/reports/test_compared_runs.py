"""Runs that are compared: each has a name of its own, and all have the same cases and classes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from written_runs import radar_alone, write_run

from calib_monai.reports.__main__ import main
from calib_monai.reports.run_files import read_run, read_runs
from calib_monai.reports.runs import shared_cases


def test_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / seed / "brains_nacl" / "eval", 1.0) for seed in ("seed0", "seed1")]
    assert [run.name for run in read_runs(folders)] == ["seed0/brains_nacl", "seed1/brains_nacl"]


def test_runs_on_different_cases_are_not_compared(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, 1.0, cases=cases) for name, cases in (("all", "abc"), ("few", "ab"))]
    with pytest.raises(ValueError, match=r"all measured 3 case\(s\) and .*few 2, 2 of them the same") as stop:
        main([*map(str, runs), "--out", str(tmp_path / "report")])
    assert "the same --split_seed, --fold and other options" in str(stop.value)
    assert not (tmp_path / "report").exists()


def test_different_cases_of_one_name_are_not_compared(tmp_path: Path) -> None:
    one, other, older = (write_run(tmp_path / name, 1.0) for name in ("one", "other", "older"))
    content = json.loads((other / "bins.json").read_text())
    content["cases"]["b"]["num_voxels"] = 500
    (other / "bins.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"b has 480 voxels in .*one and 500 in .*other; runs are compared on"):
        main([str(one), str(other), "--out", str(tmp_path / "report")])
    assert not (tmp_path / "report").exists()
    content["cases"]["b"]["num_voxels"] = 480
    for folder, digest in ((one, "0" * 32), (other, "f" * 32)):
        content["cases"]["b"]["label"] = digest
        (folder / "bins.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"b has other labels in .*one than in .*other; runs are compared on"):
        main([str(one), str(other), "--out", str(tmp_path / "report")])
    for case in content["cases"].values():
        del case["num_voxels"]
    del content["cases"]["b"]["label"]
    (older / "bins.json").write_text(json.dumps(content))
    assert shared_cases(read_runs([one, older])) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("folder", "method", "name"),
    [
        ("hippocampus_nacl/eval", "nacl", "hippocampus_nacl"),
        ("hippocampus_ce/eval", "FocalLoss", "hippocampus_ce (FocalLoss)"),
        ("run3", "dice_ce", "run3 (dice_ce)"),
        ("dice_ce", "dice_ce", "dice_ce"),
    ],
)
def test_a_run_is_called_by_its_folder_and_by_the_method_that_this_does_not_say(
    folder: str, method: str, name: str, tmp_path: Path
) -> None:
    runs = [write_run(tmp_path / side / folder, 1.0) for side in ("a", "b")]
    for run in runs:
        summary = json.loads((run / "summary.json").read_text()) | {"method": method}
        (run / "summary.json").write_text(json.dumps(summary))
    assert read_run(runs[0]).name == name
    told = {run.name for run in read_runs(runs)}
    assert len(told) == 2
    assert all(one.endswith(name) for one in told)


def test_the_dice_of_a_case_takes_no_column_of_a_measure_whose_name_goes_on(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    before = run.dice("a")
    run.metrics["dice_foreground_surface"] = 0.1
    run.cases["a"] |= {"dice_foreground_surface_left": 0.1, "dice_foreground_surface": 0.1}
    assert run.dice("a") == before


@pytest.mark.parametrize("names", [["background", "right", "left"], ["background", "left", "lesion"]])
def test_runs_of_other_classes_are_not_compared(names: list[str], tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, 1.0) for name in ("first", "second")]
    summary = json.loads((runs[1] / "summary.json").read_text()) | {"class_names": names}
    (runs[1] / "summary.json").write_text(json.dumps(summary))
    told = re.escape(f"has the classes {', '.join(names)} and {runs[0]} background, left, right; runs are compared")
    for chosen in ([], ["--case", "a"]):
        with pytest.raises(ValueError, match=told):
            main([*map(str, reversed(runs)), "--out", str(tmp_path / "report"), *chosen])


def test_a_run_without_dice_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [write_run(tmp_path / name, 1.0, name) for name in ("brains", "hearts", "livers")]
    for folder in folders:
        (folder / "cases.csv").write_text("case,ece_plausible\na,0.1\nb,0.2\nc,0.3\n")
        summary = json.loads((folder / "summary.json").read_text())
        summary["metrics"] = {"ece_plausible": {"value": 0.2}}
        (folder / "summary.json").write_text(json.dumps(summary))
    monkeypatch.setattr("calib_monai.reports.report.drawn", radar_alone)
    assert main([str(folders[0]), "--out", str(tmp_path / "one")]) == 0
    assert main([*map(str, folders), "--out", str(tmp_path / "report")]) == 0
    assert (tmp_path / "report" / "radar.png").is_file()


def test_runs_of_one_name_have_as_much_of_their_path_as_tells_them_apart(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / out / "models" / "B" / "eval", 1.0) for out in ("o1", "o2")]
    folders.append(write_run(tmp_path / "o3" / "B", 1.0))
    told = [run.name for run in read_runs(folders)]
    assert told == ["o1/models/B", "o2/models/B", f"{tmp_path.name}/o3/B"]
    with pytest.raises(ValueError, match="o3/B is given twice"):
        read_runs([folders[2], folders[0], folders[2]])


@pytest.mark.parametrize(
    ("region", "name"), [("all", "brains + TS"), ("", "brains + TS"), ("band", "brains + TS (band)")]
)
def test_a_run_is_named_with_the_voxels_that_its_calibrator_was_fitted_to(
    tmp_path: Path, region: str, name: str
) -> None:
    folder = write_run(tmp_path / "brains" / "eval_ts", 1.0)
    summary = json.loads((folder / "summary.json").read_text())
    about = {"calibrator": "ts", "calibrator_region": region, "method": "brains"}
    (folder / "summary.json").write_text(json.dumps(summary | about))
    assert read_run(folder).name == name


def test_a_folder_that_is_called_after_a_calibrator_keeps_its_name(tmp_path: Path) -> None:
    for name, calibrator in (("eval", "none"), ("eval_ts", "ts")):
        folder = write_run(tmp_path / "mine_ts" / name, 1.0)
        summary = json.loads((folder / "summary.json").read_text())
        (folder / "summary.json").write_text(json.dumps(summary | {"calibrator": calibrator, "method": "mine_ts"}))
    before, after = (read_run(tmp_path / "mine_ts" / name).name for name in ("eval", "eval_ts"))
    assert (before, after) == ("mine_ts", "mine_ts + TS")
