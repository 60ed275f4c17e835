"""The savers of a training keep and write what its model is made for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from monai.data import Dataset
from monai.transforms import Compose, ScaleIntensityd
from torch import nn

from calib_monai.cases import Cases
from calib_monai.datalists.split_files import checksum_of
from calib_monai.engines import VolumeEvaluator
from calib_monai.handlers import BestModelSaver, TrainingSaver
from calib_monai.losses import NACLLoss
from calib_monai.made_for import MadeFor
from calib_monai.orientation import Geometry

CASES = Cases({}, {"one": Geometry((4, 4, 4), (1.0, 1.0, 1.0), "LPS")}, {"split_seed": 0})


def made_for() -> MadeFor:
    network = nn.Conv2d(1, 2, 1)
    return MadeFor("phantoms", ["background", "a"], ["T1"], [16, 16], "auto", network=network, transforms=Compose())


def evaluator() -> VolumeEvaluator:
    volumes = Dataset([{"image": "one.nii.gz"}])
    return VolumeEvaluator(dataset=volumes, device=torch.device("cpu"), network=nn.Conv2d(1, 2, 1))


def test_the_saver_of_a_training_keeps_what_the_model_is_made_for_with_the_axes_of_its_images(tmp_path: Path) -> None:
    told: dict[str, Any] = {"ckpt_dir": str(tmp_path / "models"), "output_dir": str(tmp_path), "overwrite": True}
    saver = TrainingSaver(CASES, evaluator(), made := made_for(), **told)
    assert {name: getattr(saver, name) for name in told} == told
    assert saver.made_for == {**made.settings, "axcodes": "LPS"}
    other = Compose([ScaleIntensityd("image")])
    assert TrainingSaver(CASES, evaluator(), made, **told, transforms=other).made_for != saver.made_for


def test_the_saver_of_the_best_model_writes_what_it_is_made_for_beside_it(tmp_path: Path) -> None:
    network, models = nn.Conv2d(1, 2, 1), tmp_path / "models"
    saver = BestModelSaver(network, "nacl", NACLLoss(), str(tmp_path), CASES, made_for(), str(models))
    assert Path(saver.save_dir) == models
    saver.attach(evaluator())
    assert saver._key_metric_checkpoint is not None
    saver._key_metric_checkpoint.save_handler(saver.save_dict, "best")
    written = json.loads((models / "model.json").read_text())
    assert written["split_checksum"] == checksum_of({})
    assert (written["axcodes"], written["split"], written["spatial_dims"]) == ("LPS", {"split_seed": 0}, 2)
