"""The savers of a training ask its cases for what they are not told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from monai.data import Dataset
from monai.transforms import Compose
from torch import nn

from calib_monai.cases import Cases, Training
from calib_monai.engines import VolumeEvaluator
from calib_monai.handlers import BestModelSaver, TrainingSaver
from calib_monai.losses import NACLLoss
from calib_monai.made_for import MadeFor
from calib_monai.orientation import Geometry


def cases_in(folder: Path) -> Cases:
    """No cases but the geometry of one, of a training in this folder that may replace another."""
    cases = Cases({}, {"one": Geometry((4, 4, 4), (1.0, 1.0, 1.0), "LPS")}, {"split_seed": 0})
    network = nn.Conv2d(1, 2, 1)
    made_for = MadeFor("phantoms", ["background", "a"], ["T1"], [16, 16], "auto", network=network, transforms=Compose())
    cases.training = Training(str(folder / "models"), str(folder), True, made_for)  # noqa: FBT003 - overwrite
    return cases


def evaluator() -> VolumeEvaluator:
    volumes = Dataset([{"image": "one.nii.gz"}])
    return VolumeEvaluator(dataset=volumes, device=torch.device("cpu"), network=nn.Conv2d(1, 2, 1))


def test_the_saver_of_a_training_asks_its_cases_for_folders_and_for_what_the_model_is_made_for(tmp_path: Path) -> None:
    cases = cases_in(tmp_path)
    saver = TrainingSaver(cases, None, evaluator())
    assert (saver.ckpt_dir, saver.output_dir, saver.overwrite) == (str(tmp_path / "models"), str(tmp_path), True)
    assert saver.made_for["axcodes"] == "LPS"  # as the images of the training have them
    told: dict[str, Any] = {"ckpt_dir": "a", "output_dir": "b", "overwrite": False, "made_for": {"axcodes": "RAS"}}
    for of in (cases, None):  # as in a bundle that an earlier version composed
        saver = TrainingSaver(of, None, evaluator(), **told)
        assert {name: getattr(saver, name) for name in told} == told


def test_the_saver_of_the_best_model_asks_the_cases_too(tmp_path: Path) -> None:
    cases, network = cases_in(tmp_path), nn.Conv2d(1, 2, 1)
    saver = BestModelSaver(network, "nacl", NACLLoss(), str(tmp_path), cases)
    assert Path(saver.save_dir) == tmp_path / "models"
    elsewhere = BestModelSaver(network, "nacl", NACLLoss(), str(tmp_path), ckpt_dir=str(tmp_path), made_for={"a": 1})
    assert Path(elsewhere.save_dir) == tmp_path


def test_cases_that_do_not_know_their_training_are_refused() -> None:
    with pytest.raises(ValueError, match="the cases do not know their training: take those of"):
        TrainingSaver(Cases({}, {}, {}), None, evaluator())
