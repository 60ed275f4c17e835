"""Trainers of nnU-Net: they have the losses of the bundles, and train and predict where nnU-Net is installed."""

from __future__ import annotations

import math
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from committed import config_of
from monai.bundle import ConfigParser
from torch import nn

from calib_monai.methods import described_loss
from calib_monai.nnunet import TRAINERS
from calib_monai.score import main

OF_METHODS = {"NACL": "nacl", "MbLS": "mbls", "SVLS": "svls", "LS": "ls", "ECP": "ecp", "Focal": "focal"}
OF_METHODS |= {"SoftDice": "soft_dice", "ACE": "ace", "CRaC": "crac"}  # trainers and bundles


@pytest.mark.parametrize("name", OF_METHODS)
def test_a_trainer_has_the_loss_of_the_bundle(name: str, trainers: dict[str, Callable[..., Any]]) -> None:
    assert trainers.keys() == OF_METHODS.keys()
    configured = {"num_classes": 3, "loss": config_of(f"hippocampus_{OF_METHODS[name]}", "train")["loss"]}
    loss = ConfigParser(configured).get_parsed_content("loss")
    assert isinstance(loss, nn.Module)
    assert described_loss(trainers[name](deep=False).loss) == described_loss(loss)


def test_the_folder_of_the_trainers_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_module("calib_monai.nnunet", run_name="__main__")
    assert Path(capsys.readouterr().out.strip()) == TRAINERS


def made(configuration: str, name: str) -> Any:
    """A trainer of nnU-Net for an epoch of two steps."""
    from nnunetv2.run.run_training import get_trainer_from_args  # noqa: PLC0415 - where it is installed

    trainer = get_trainer_from_args("1", configuration, 0, name, device=torch.device("cpu"))
    trainer.num_epochs, trainer.num_iterations_per_epoch, trainer.num_val_iterations_per_epoch = 1, 2, 2
    return trainer


def trained(configuration: str, name: str) -> Any:
    """The same after the epoch."""
    trainer = made(configuration, name)
    trainer.run_training()
    assert math.isfinite(trainer.logger.get_value("train_losses", step=-1))
    assert math.isfinite(trainer.logger.get_value("val_losses", step=-1))
    return trainer


@pytest.mark.usefixtures("planned")
@pytest.mark.filterwarnings("ignore")
def test_crac_trains_an_epoch_on_slices_and_continues() -> None:
    before, after = trained("2d", "nnUNetTrainerCRaC"), made("2d", "nnUNetTrainerCRaC")
    after.load_checkpoint(str(Path(before.output_folder) / "checkpoint_final.pth"))
    kept = after.multiplier_update.crac.multipliers
    assert kept.updates == 1
    assert kept.multiplier.equal(before.multiplier_update.crac.multipliers.multiplier)
    assert (kept.multiplier > 1e-6).any()


@pytest.mark.filterwarnings("ignore")
def test_nacl_trains_an_epoch_on_patches_and_its_probabilities_are_scored(planned: Path, tmp_path: Path) -> None:
    """The measures of nnU-Net's `.npz` are those of the same values as NIfTI on the grid of the label, to 1e-6."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor  # noqa: PLC0415 - where it is installed

    trainer = trained("3d_fullres", "nnUNetTrainerNACL")
    predictor = nnUNetPredictor(device=torch.device("cpu"), use_mirroring=False, allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(trainer.output_folder_base, (0,), "checkpoint_final.pth")
    data, theirs, ours = planned / "raw" / "Dataset001_Phantoms", tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    predictor.predict_from_files_sequential(str(data / "imagesTr"), str(theirs), save_probabilities=True)
    for file in theirs.glob("*.npz"):
        values = np.load(file)["probabilities"].transpose(3, 2, 1, 0)
        label = nibabel.load(data / "labelsTr" / f"{file.stem}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(values, label.affine), ours / f"{file.stem}_probs.nii.gz")
    measures = []
    for probs in (theirs, ours):
        out = tmp_path / f"of_{probs.name}"
        options = ["--labels", str(data / "labelsTr"), "--classes", str(data / "dataset.json"), "--no_figures"]
        assert main(["--probs", str(probs), "--out", str(out), *options]) == 0
        rows = (out / "cases.csv").read_text(encoding="utf-8").splitlines()
        measures.append([cell for row in rows for cell in row.split(",")])
    assert len(list(ours.iterdir())) == 5
    assert len(measures[0]) == len(measures[1])
    numbers = [(float(a), float(b)) for a, b in zip(*measures, strict=True) if _is_number(a)]
    assert len(numbers) > 50
    assert all(a == pytest.approx(b, rel=0, abs=1e-6, nan_ok=True) for a, b in numbers)


def _is_number(text: str) -> bool:
    return text.replace(".", "").replace("-", "").replace("e", "").isdigit()
