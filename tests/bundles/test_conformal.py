"""A calibration fits intervals of volumes, an evaluation measures them, and an inference writes them."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from committed import config_of, refused, start, trimmed, write_dataset
from monai.bundle import ConfigParser

from calib_monai.phantoms import make_phantoms
from calib_monai.reports.conformal import intervals_of_volumes, margins_of_structures
from calib_monai.reports.run_files import read_run

BUNDLE, FITTED = "hippocampus_ce", 9
SETTINGS: dict[str, Any] = {"slice_size": [48, 64], "figures": False}


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data, and of a model that has learned nothing and was calibrated with nine cases."""
    folder = tmp_path_factory.mktemp("conformal")
    phantoms = make_phantoms(FITTED + 3, seed=5, num_classes=3)
    write_dataset("hippocampus", folder / "data", trimmed(phantoms, 17, 19))
    (folder / "models").mkdir()
    cases = [f"phantom_{number:03}" for number in range(FITTED + 3)]
    split = {"training": cases[:1], "validation": cases[1 : FITTED + 1], "test": cases[FITTED + 1 :]}
    (folder / "models" / "split.json").write_text(json.dumps(split))
    (folder / "models" / "model.json").write_text("{}")
    parser = ConfigParser(deepcopy(config_of(BUNDLE, "train")))
    torch.manual_seed(0)
    torch.save(parser.get_parsed_content("network_def").state_dict(), folder / "models" / "model.pt")
    start_in(folder, "calibrate", output_dir=str(folder / "fit"))
    return folder


def start_in(folder: Path, config: str, **options: Any) -> None:
    """A run on the data and the model of a folder."""
    settings = {name: value for name, value in SETTINGS.items() if name != "figures" or config == "evaluate"}
    start(BUNDLE, config, folder / "data", folder, **settings | options)


@pytest.mark.parametrize("kind", ["none", "ts"])
def test_an_inference_writes_what_an_evaluation_measured(calibrated: Path, tmp_path: Path, kind: str) -> None:
    options = {"output_dir": str(tmp_path), "calibrator": kind, "conformal#miss_rate": 0.1}
    start_in(calibrated, "evaluate", **options)
    start_in(calibrated, "inference", outputs=["label", "margin"], **options)
    run = read_run(tmp_path)
    table = intervals_of_volumes([run])
    assert table is not None
    assert [row[2] for row in table.cells] == ["2", "2"]
    assert margins_of_structures([run]) is not None
    assert run.settings["covered_volumes"] == {
        "coverage": 0.9,
        "validation_cases": FITTED,
        "validation_patients": FITTED,
    }
    for case, values in run.cases.items():
        told = json.loads((tmp_path / "predictions" / case / f"{case}_structures.json").read_text())
        for name, numbers in told["structures"].items():
            low, high = numbers["volume_ml_interval"]
            assert low <= numbers["volume_ml_expected"] <= high
            volume = (high - low) / values[f"interval_width_{name}"]
            assert bool(values[f"covered_volumes_{name}"]) == (low <= volume <= high)
            assert numbers["volume_ml_margin"] == pytest.approx(values[f"margin_size_{name}"] * volume, rel=1e-3)
        mask = nibabel.load(tmp_path / "predictions" / case / f"{case}_margin.nii.gz")
        label = nibabel.load(calibrated / "data" / "labelsTr" / f"{case}.nii.gz")
        for k, name in enumerate(("anterior", "posterior")):
            missed = np.asarray(mask.dataobj)[..., k][np.asarray(label.dataobj) == k + 1] == 0
            assert values[f"miss_rate_margin_{name}"] == missed.mean()


def test_a_level_that_needs_more_cases_writes_no_interval(
    calibrated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start_in(calibrated, "inference", outputs=["label"], output_dir=str(tmp_path), conformal={"coverage": 0.95})
    assert "a coverage of 0.95 needs 19 validation patients, and the fit had 9" in "".join(capsys.readouterr())
    for file in tmp_path.glob("predictions/*/*_structures.json"):
        assert "interval" not in " ".join(json.loads(file.read_text())["structures"]["anterior"])


def test_the_cases_that_intervals_were_fitted_to_do_not_measure_them(calibrated: Path, tmp_path: Path) -> None:
    start_in(calibrated, "evaluate", part="validation", output_dir=str(tmp_path))
    assert intervals_of_volumes([read_run(tmp_path)]) is None


def test_a_margin_that_needs_more_cases_is_refused(calibrated: Path, tmp_path: Path) -> None:
    with refused("a miss_rate of 0.05 needs 19 validation patients with a structure"):
        start_in(calibrated, "inference", outputs=["margin"], output_dir=str(tmp_path))


@pytest.mark.parametrize("config", ["evaluate", "inference"])
def test_wrong_levels_are_refused(calibrated: Path, tmp_path: Path, config: str) -> None:
    for wrong in (0, 1, 90):
        with refused(f"conformal#coverage is {wrong}; it must be a number above 0 and below 1"):
            start_in(calibrated, config, output_dir=str(tmp_path), **{"conformal#coverage": wrong})
    with refused("conformal has covrage; it may have coverage, miss_rate; did you mean coverage"):
        start_in(calibrated, config, output_dir=str(tmp_path), conformal={"covrage": 0.9})


@pytest.mark.parametrize(
    ("config", "asked"),
    [("evaluate", {"conformal#coverage": 0.8}), ("inference", {"outputs": ["label", "margin"]})],
)
def test_scores_of_another_model_stop_only_who_asks_for_a_promise(
    calibrated: Path, tmp_path: Path, config: str, asked: dict[str, Any]
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for file in (calibrated / "models").iterdir():
        (models / file.name).write_bytes(file.read_bytes())
    weights = torch.load(models / "model.pt", weights_only=True)
    torch.save({name: 2 * value for name, value in weights.items()}, models / "model.pt")
    plain: dict[str, Any] = {"ckpt_dir": str(models), "output_dir": str(tmp_path)}
    start_in(calibrated, config, **plain | ({"outputs": ["label"]} if config == "inference" else {}))
    if config == "evaluate":
        assert intervals_of_volumes([read_run(tmp_path)]) is None
    for file in tmp_path.glob("predictions/*/*_structures.json"):
        told = json.loads(file.read_text())
        assert told["interval"] is None
        assert "has not run for this model and calibrator" in told["why_no_interval"]
    with refused(r"conformal_none.safetensors was fitted to another model.pt: remove it, or fit it"):
        start_in(calibrated, config, **plain, **asked)
