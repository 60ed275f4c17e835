"""The control of a network: chosen on validation cases, measured on test cases, and never used for predictions."""

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
from calib_monai.posthoc import ForegroundShift, save_calibrator
from calib_monai.reports.run_files import read_run

BUNDLE = "hippocampus_ce"
SETTINGS: dict[str, Any] = {"slice_size": [48, 64], "calibrator": "control"}


def test_a_control_is_chosen_measured_and_refused_by_an_inference(tmp_path: Path) -> None:
    write_dataset("hippocampus", tmp_path / "data", trimmed(make_phantoms(4, seed=5, num_classes=3), 17, 19))
    models = tmp_path / "models"
    models.mkdir()
    cases = [f"phantom_{number:03}" for number in range(4)]
    split = {"training": cases[:1], "validation": cases[1:3], "test": cases[3:]}
    (models / "split.json").write_text(json.dumps(split))
    (models / "model.json").write_text("{}")
    torch.manual_seed(0)
    network = ConfigParser(deepcopy(config_of(BUNDLE, "train"))).get_parsed_content("network_def")
    torch.save(network.state_dict(), models / "model.pt")
    with refused("there is no calibrator at .*calibrator_control.safetensors: fit it with .*--calibrator control"):
        start(
            BUNDLE, "evaluate", tmp_path / "data", tmp_path, figures=False, output_dir=str(tmp_path / "e"), **SETTINGS
        )
    start(BUNDLE, "calibrate", tmp_path / "data", tmp_path, output_dir=str(tmp_path / "fit"), **SETTINGS)
    told = json.loads((tmp_path / "fit" / "calibration_control.json").read_text())
    assert told["volumes"] == 2
    assert told["constant"] in [one["constant"] for one in told["tried"]]
    assert not list(models.glob("conformal_*"))
    start(BUNDLE, "evaluate", tmp_path / "data", tmp_path, figures=False, output_dir=str(tmp_path / "e"), **SETTINGS)
    run = read_run(tmp_path / "e")
    assert run.name == "e, control (logits shifted, no method) (ce)"
    assert list(run.cases) == cases[3:]
    control = ForegroundShift()
    control.shift.fill_(99)  # so that no voxel is background, by its probabilities and by its label
    save_calibrator(control, "control", str(models))
    start(BUNDLE, "evaluate", tmp_path / "data", tmp_path, figures=False, output_dir=str(tmp_path / "99"), **SETTINGS)
    [values] = read_run(tmp_path / "99").cases.values()
    label = np.asarray(nibabel.load(tmp_path / "data" / "labelsTr" / f"{cases[3]}.nii.gz").dataobj)
    volumes = [(label == k).sum() for k in (1, 2)]
    predicted = [
        (1 + values[f"volume_difference_{name}"]) * volume
        for name, volume in zip(("anterior", "posterior"), volumes, strict=True)
    ]
    assert sum(predicted) == pytest.approx(label.size)
    for config, options in (("inference", {}), ("evaluate", {"part": "validation", "figures": False})):
        with refused("calibrator is control"):
            start(BUNDLE, config, tmp_path / "data", tmp_path, output_dir=str(tmp_path / "p"), **SETTINGS | options)
