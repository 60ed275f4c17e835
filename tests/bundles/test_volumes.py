"""Bundles as networks for volumes: `configs/volumes.json` laid over each run, on phantoms of every data set."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from committed import (
    CHECKPOINT,
    COLLECTION,
    DATASETS,
    config_of,
    phantoms_of,
    refused,
    same_bits,
    start,
)
from spared import leave_undrawn

from calib_monai.networks import unet
from calib_monai.networks.levels import levels_of
from calib_monai.reports.run_files import read_run

VOLUMES = [name for name in DATASETS if (COLLECTION / f"{name}_ce" / "configs" / "volumes.json").is_file()]
SMALL: dict[str, Any] = {"patch_size": [16, 16, 8], "network_def#channels": [4, 8, 8, 8]}
SMALL |= {"network_def#spacing": [1.0, 1.0, 1.0], "batch_size": 4}
QUICK = {"n4_iterations": [1]}


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """For a data set six small phantoms in the layout of its release."""
    return phantoms_of(tmp_path_factory, 12, 20)


def options_of(bundle: str, **others: Any) -> dict[str, Any]:
    """A small network and patches, with what else makes a run quick."""
    train = config_of(bundle, "train")
    quick = {name: value for name, value in QUICK.items() if name in train}
    if "pixdim" in train:
        quick["spacing"] = [1.5, 1.5, 4.0]
    return SMALL | quick | others


@pytest.fixture(scope="module")
def trained(
    folder_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Path, Path, dict[str, Any]]]:
    """Trains a bundle for an epoch, once: the folders of its data and its output, and its options."""

    @cache
    def trained(bundle: str) -> tuple[Path, Path, dict[str, Any]]:
        data, out = folder_of(config_of(bundle, "train")["dataset"]), tmp_path_factory.mktemp(bundle)
        options = options_of(bundle)
        start(bundle, "train_volumes", data, out, epochs=1, **options)
        return data, out, options

    return trained


def test_every_data_set_of_volumes_has_them() -> None:
    assert set(DATASETS) - set(VOLUMES) == {"busi"}


@pytest.mark.parametrize("name", VOLUMES)
def test_a_data_set_trains_evaluates_and_infers(
    name: str, trained: Callable[[str], tuple[Path, Path, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = f"{name}_nacl"
    data, out, options = trained(bundle)
    leave_undrawn(monkeypatch)
    start(bundle, "evaluate_volumes", data, out, figures=False, **options)
    start(bundle, "inference_volumes", data, out, **options)
    made_for = json.loads((out / "models" / "model.json").read_text())
    assert (made_for["spatial_dims"], made_for["slice_size"]) == (3, [16, 16, 8])
    run = read_run(out)
    assert 0 <= run.metrics["dice_foreground"] <= 1
    for case in json.loads((out / "split.json").read_text())["test"]:
        label, probs = (
            nibabel.load(out / "predictions" / case / f"{case}_{kind}.nii.gz") for kind in ("label", "probs")
        )
        values = np.moveaxis(probs.get_fdata().reshape(*label.shape, -1), -1, 0)
        assert np.allclose(values.sum(axis=0), 1, atol=1e-5)
        assert np.array_equal(values.argmax(axis=0), label.get_fdata())
        truth = run.slice_of(case)
        assert truth.probs.shape[0] == len(run.class_names)


@pytest.mark.parametrize("method", ["crac", "bwcr", "soft_dice"])
def test_a_method_with_parts_of_its_own_trains(
    method: str, trained: Callable[[str], tuple[Path, Path, dict[str, Any]]]
) -> None:
    _, out, _ = trained(f"hippocampus_{method}")
    checkpoint = torch.load(out / "models" / "checkpoint_epoch=1.pt", weights_only=True)
    assert set(checkpoint) == CHECKPOINT | ({"ema"} if method == "bwcr" else set())
    if method == "crac":
        assert "crac/multiplier/inner/anterior" in (out / "history.csv").read_text()


def test_a_training_goes_on_to_the_same_bits(
    trained: Callable[[str], tuple[Path, Path, dict[str, Any]]], tmp_path: Path
) -> None:
    data, _, options = trained("hippocampus_soft_dice")
    options = options | {"augment": True, "lr_scheduler#milestones": [1]}
    for epochs, out in (((1, 2), tmp_path / "resumed"), ((2,), tmp_path / "whole")):
        for goal in epochs:
            start("hippocampus_soft_dice", "train_volumes", data, out, epochs=goal, resume=goal > 1, **options)
    first, second = (
        torch.load(tmp_path / name / "models" / "checkpoint_epoch=2.pt", weights_only=True)
        for name in ("resumed", "whole")
    )
    assert same_bits(first["model"], second["model"])
    assert same_bits(first["optimizer"], second["optimizer"])
    with refused("it is of a training with RandAffined's rotate_range .*, here it is "):
        start(
            "hippocampus_soft_dice",
            "train_volumes",
            *(data, tmp_path / "resumed"),
            epochs=3,
            resume=True,
            **options | {"augmentation#rotation": 30},
        )


def test_a_training_does_not_go_on_with_other_options(
    trained: Callable[[str], tuple[Path, Path, dict[str, Any]]],
) -> None:
    data, out, options = trained("hippocampus_soft_dice")
    for changed in (
        {"augment": True},
        {"seed": 1},
        {"patch_size": [24, 24, 12]},
        {"patches_per_volume": 2},
        {"training_box#ratios": [0, 1, 1]},
    ):
        name = next(iter(changed)).removeprefix("patch_").removeprefix("training_box#")
        with refused(f"does not fit: it is of a training with .*{name}"):
            start("hippocampus_soft_dice", "train_volumes", data, out, epochs=2, resume=True, **options | changed)


@pytest.mark.parametrize("kind", ["ts", "lts"])
def test_a_calibrator_is_fitted_and_used(
    kind: str,
    trained: Callable[[str], tuple[Path, Path, dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data, out, options = trained("hippocampus_nacl")
    leave_undrawn(monkeypatch)
    folders = {"output_dir": str(tmp_path), "calibrator": kind}
    fit: dict[str, Any] = {"fitting#lts#epochs": 2} if kind == "lts" else {}
    start("hippocampus_nacl", "calibrate_volumes", data, out, **options, **folders, **fit)
    start("hippocampus_nacl", "evaluate_volumes", data, out, figures=False, **options, **folders)
    start("hippocampus_nacl", "inference_volumes", data, out, **options, **folders)
    assert read_run(tmp_path).metrics["nll_all"] > 0
    if kind == "lts":
        report = json.loads((tmp_path / "calibration_lts.json").read_text())
        assert report["voxels"] > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"patch_size": [16, 16]}, r"patch_size is \[16, 16\]; it must be three whole numbers"),
        ({"patch_size": [16, 16, 0]}, r"patch_size is \[16, 16, 0\]"),
        ({"spatial_dims": 2}, "spatial_dims is 2, which the files of a run decide: leave out --spatial_dims"),
        ({"slice_size": [16, 16, 8]}, "slice_size is .*: volumes have patches, give --patch_size alone"),
        ({"patches_per_volume": 0}, "patches_per_volume is 0"),
        (
            {"augment": True, "augmentation#shift": 4},
            "shift is 4; it must be a finite number, at least 0 and at most 1",
        ),
        ({"train#trainer#empty_slices": False}, "empty_slices is False: patches have no slices"),
        ({"augment": True, "random_views#rotation": 3}, "random_views has options"),
        ({"network_def#channels": [4, 8]}, r"channels are \[4, 8\]; patches of this size need 4 of them"),
        ({"network_def#kernel_size": 5}, "kernel_size and spacing are both given"),
        (
            {"network_def#_target_": "calib_monai.networks.unetpp"},
            "unetpp is for slices; volumes need",
        ),
        ({"network_def#_target_": "calib_monai.networks.transunet"}, "transunet is for slices"),
        ({"overlap": 1.0}, r"overlap is 1.0; it must be a number from 0 on and below 1"),
        ({"training_box#ratios": [0, 0, 0]}, "one must be above 0"),
        ({"spacing": [1.0, 1.0]}, r"spacing is \[1.0, 1.0\]; it must be a list of 3"),
    ],
)
def test_wrong_options_are_refused_before_a_file_is_read(
    options: dict[str, Any], said: str, folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    given = {"network_def#channels": [4, 8, 8, 8], "patch_size": [16, 16, 8]} | options
    if "network_def#_target_" in options:
        given.pop("network_def#channels")
    with refused(said):
        start("hippocampus_nacl", "train_volumes", folder_of("hippocampus"), tmp_path, epochs=1, **given)
    assert not (tmp_path / "split.json").exists()


def test_another_pixdim_than_the_spacing_is_refused(folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    with refused("give --spacing alone"):
        start("acdc_nacl", "train_volumes", folder_of("acdc"), tmp_path, epochs=1, **SMALL, pixdim=[1.0, 1.0, 1.0])
    with refused("num_slices is 20: patches are taken from all slices, leave it out"):
        start("kits_nacl", "train_volumes", folder_of("kits"), tmp_path, epochs=1, **SMALL, num_slices=20)
    assert not (tmp_path / "split.json").exists()


@pytest.mark.parametrize("told", [True, False], ids=["with model.json", "without"])
def test_a_model_of_volumes_is_not_taken_for_slices(
    trained: Callable[[str], tuple[Path, Path, dict[str, Any]]], tmp_path: Path, *, told: bool
) -> None:
    data, out, _ = trained("hippocampus_nacl")
    models = shutil.copytree(out / "models", tmp_path / "models")
    if not told:
        (models / "model.json").unlink()
    for mode, options in (("evaluate", {"figures": False}), ("inference", {})):
        with refused("is of (patches of|a network for) volumes, .*: give configs/volumes.json as the last file"):
            start("hippocampus_nacl", mode, data, tmp_path, **options)
    assert not (tmp_path / "summary.json").exists()


@pytest.mark.parametrize("told", [True, False], ids=["with model.json", "without"])
def test_a_model_of_slices_is_not_taken_for_volumes(
    folder_of: Callable[[str], Path], tmp_path: Path, *, told: bool
) -> None:
    (tmp_path / "models").mkdir()
    torch.save(unet(1, 3).state_dict(), tmp_path / "models" / "model.pt")
    if told:
        (tmp_path / "models" / "model.json").write_text(json.dumps({"slice_size": [48, 64], "axcodes": "RAS"}))
    for mode, options in (("evaluate_volumes", {"figures": False}), ("inference_volumes", {})):
        with refused("is of (a network for )?slices, .*: leave out configs/volumes.json"):
            start("hippocampus_nacl", mode, folder_of("hippocampus"), tmp_path, **options)
    assert not (tmp_path / "summary.json").exists()


def test_a_model_of_volumes_that_does_not_say_so_is_one_of_its_bundle_with_volumes_json(
    trained: Callable[[str], tuple[Path, Path, dict[str, Any]]], tmp_path: Path
) -> None:
    data, out, options = trained("hippocampus_nacl")
    of_other_tests = shutil.ignore_patterns("calibrator_*", "conformal_*")  # which were fitted to the model
    models = shutil.copytree(out / "models", tmp_path / "models", ignore=of_other_tests)
    (models / "model.json").unlink()
    with refused(r"slice_size is \[16, 16, 8\], and without .*train.json with .*volumes.json says \[40, 56, 40\]"):
        start("hippocampus_nacl", "inference_volumes", data, tmp_path, **options)
    torch.save(unet(1, 3, [40, 56, 40], spatial_dims=3, spacing=[1, 1, 1]).state_dict(), models / "model.pt")
    image = next((data / "imagesTr").glob("*.nii.gz"))
    start("hippocampus_nacl", "inference_volumes", data, tmp_path, input=str(image))
    assert list((tmp_path / "predictions").glob("*/*_label.nii.gz"))


@pytest.mark.parametrize("name", VOLUMES)
def test_the_patch_of_a_data_set_can_be_halved(name: str) -> None:
    config = config_of(f"{name}_ce", "volumes")
    assert len(levels_of(config["patch_size"], config["spacing"]).strides) >= 4
