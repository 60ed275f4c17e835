"""Evaluations of the validation cases, by which options are chosen before anything is measured on test cases."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from committed import COLLECTION, refused, start, trimmed, write_dataset

from calib_monai.phantoms import make_phantoms
from calib_monai.reports.report import by_dataset
from calib_monai.reports.run_files import read_runs

BUNDLE = "hippocampus_nacl"


def test_validation_cases_are_measured_and_never_mixed_with_test_cases(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_dataset("hippocampus", data, trimmed(make_phantoms(5, 5), 12, 20))
    start(BUNDLE, "train", data, tmp_path, epochs=1)
    given: dict[str, Any] = {"ckpt_dir": str(tmp_path / "models"), "figures": False}
    for part in ("test", "validation"):
        start(BUNDLE, "evaluate", data, tmp_path / part, part=part, **given)
    split = json.loads((tmp_path / "models" / "split.json").read_text())
    for part, dataset in (("test", "hippocampus"), ("validation", "hippocampus_validation")):
        summary = json.loads((tmp_path / part / "summary.json").read_text())
        assert (summary["part"], summary["dataset"], summary["trained_on"]) == (part, dataset, "hippocampus")
        with (tmp_path / part / "cases.csv").open() as file:
            assert sorted(row["case"] for row in csv.DictReader(file)) == sorted(split[part])
    runs = read_runs([tmp_path / "test", tmp_path / "validation"])
    assert [[run.folder.name for run in group] for group in by_dataset(runs)] == [["test"], ["validation"]]
    with refused("is of an evaluation of the test cases of the training, and this one is of the validation cases"):
        start(BUNDLE, "evaluate", data, tmp_path / "test", part="validation", **given)
    with refused("is of an evaluation of unchanged images, and this one is of images changed by .*noise"):
        start(BUNDLE, "evaluate", data, tmp_path / "test", shift="noise_0.1", **given)
    shutil.copytree(tmp_path / "models", tmp_path / "others")
    (tmp_path / "others" / "model.pt").touch()
    with refused("is of an evaluation of .*models/model.pt, and this one is of .*others/model.pt: set another"):
        start(BUNDLE, "evaluate", data, tmp_path / "test", **given | {"ckpt_dir": str(tmp_path / "others")})
    (tmp_path / "test" / "report").mkdir()
    (tmp_path / "test" / "report" / "report.html").touch()
    start(BUNDLE, "evaluate", data, tmp_path / "test", **given)
    assert not (tmp_path / "test" / "report" / "report.html").exists()


def test_several_processes_share_the_part_that_one_process_measures() -> None:
    configs = COLLECTION / BUNDLE / "configs"
    alone, several = (json.loads((configs / name).read_text()) for name in ("evaluate.json", "multi_gpu_evaluate.json"))
    assert alone["+validate"]["dataset"]["data"] == "$@cases[@part]"
    assert several["validate#evaluator#dataset"]["dataset"] == "@validate#dataset"
    assert not any("data" in name.split("#") for name in several)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"part": "training"}, "part is 'training'; it must be one of test, validation"),
        ({"part": "validation", "calibrator": "ts"}, "calibrator is ts, which was fitted to the validation cases"),
        ({"part": "validation", "test_dir": "."}, "part is validation and test_dir ., whose cases are all tested"),
    ],
)
def test_a_part_that_cannot_be_measured_is_refused(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    with refused(said):
        start(BUNDLE, "evaluate", tmp_path / "gone", tmp_path, **options)
    assert list(tmp_path.iterdir()) == []
