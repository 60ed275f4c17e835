"""Every bundle trains, evaluates and infers, on phantoms in the layout of its data set."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import run

from calib_monai.datalists.acdc import read_acdc, write_acdc
from calib_monai.datalists.hippocampus import read_hippocampus, write_hippocampus
from calib_monai.phantoms import Phantom, make_phantoms
from calib_monai.reports.runs import read_run
from calib_monai.reports.table import CALIBRATION

REPOSITORY = Path(__file__).parents[2]
BUNDLES = sorted(path.name for path in (REPOSITORY / "bundles").glob("*/"))


def start(bundle: str, config: str, data: Path, out: Path, **options: Any) -> None:
    """`python -m monai.bundle run` in this process, with what it writes in `out`."""
    root = REPOSITORY / "bundles" / bundle
    files = {"train": ["train"], "evaluate": ["train", "evaluate"], "inference": ["inference"]}[config]
    run(
        config_file=[str(root / "configs" / f"{name}.json") for name in files],
        bundle_root=str(root),
        dataset_dir=str(data),
        **{"ckpt_dir": str(out / "models"), "output_dir": str(out)} | options,
    )


class Dataset(NamedTuple):
    """What writes and reads the folder of a data set, and its number of classes."""

    write: Callable[[str, dict[str, Phantom]], None]
    read: Callable[[str], list[dict[str, str]]]
    num_classes: int


class Finished(NamedTuple):
    """A bundle that has trained, evaluated and inferred: the folder of its results, and of its data."""

    bundle: str
    dataset: Dataset
    data: Path
    out: Path


DATASETS = {
    "acdc": Dataset(write_acdc, read_acdc, 4),
    "hippocampus": Dataset(write_hippocampus, read_hippocampus, 3),
}
SLICE_SIZE = [48, 64]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each data set eight phantoms, trimmed to twelve slices, with an affine of their own."""
    folders = {}
    for name, dataset in DATASETS.items():
        folders[name] = tmp_path_factory.mktemp(name)
        phantoms = make_phantoms(8, seed=5, num_classes=dataset.num_classes).items()
        dataset.write(
            str(folders[name]),
            {case: Phantom(image[..., 12:24], label[..., 12:24]) for case, (image, label) in phantoms},
        )
        for path in folders[name].rglob("*.nii.gz"):
            image = nibabel.load(path)
            affine = np.array([[-1, 0, 0, 90], [0, 1.5, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
            nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), affine), path)
    return folders


@pytest.fixture(scope="module")
def data(folders: dict[str, Path]) -> Path:
    """The folder of the hippocampus phantoms."""
    return folders["hippocampus"]


@pytest.fixture(scope="module", params=BUNDLES)
def finished(
    request: pytest.FixtureRequest, folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Finished:
    """A bundle after three epochs."""
    name = next(name for name in DATASETS if request.param.startswith(name))
    finished = Finished(request.param, DATASETS[name], folders[name], tmp_path_factory.mktemp(request.param))
    for config, options in (("train", {"epochs": 3, "batch_size": 8}), ("evaluate", {}), ("inference", {})):
        start(finished.bundle, config, finished.data, finished.out, slice_size=SLICE_SIZE, **options)
    return finished


def test_training_leaves_the_best_model_and_the_last_checkpoint(finished: Finished) -> None:
    models = finished.out / "models"
    checkpoint = torch.load(models / "checkpoint_epoch=3.pt", weights_only=True)
    assert set(checkpoint) == {"network", "optimizer", "lr_scheduler", "loss", "trainer"}
    assert checkpoint["trainer"]["iteration"] == 3 * checkpoint["trainer"]["epoch_length"]
    assert checkpoint["lr_scheduler"]["_last_lr"] == pytest.approx([1e-4])
    written = sorted(path.name for path in models.iterdir())
    assert written == ["checkpoint_epoch=3.pt", "model.pt", "split.json"]
    assert set(torch.load(models / "model.pt", weights_only=True)) == set(checkpoint["network"])


def test_evaluation_measures_every_test_case(finished: Finished) -> None:
    split = json.loads((finished.out / "split.json").read_text())
    with (finished.out / "cases.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == split["test"]
    assert (finished.out / "report" / "report.html").is_file()
    run_ = read_run(finished.out)
    assert run_.logits is not None
    of_shape = {"dice_foreground", "hd95_mm", "asd_mm", "missed_structures"}
    assert set(run_.metrics) == of_shape | {f"{name}_foreground" for name in CALIBRATION}
    assert all(math.isfinite(value) for value in run_.metrics.values())
    assert run_.slice_of(split["test"][0]).probs.shape[0] == finished.dataset.num_classes


def test_inference_keeps_the_geometry_of_the_image(finished: Finished) -> None:
    case = json.loads((finished.out / "split.json").read_text())["test"][0]
    paths = {case["case"]: case["image"] for case in finished.dataset.read(str(finished.data))}
    image = nibabel.load(paths[case])
    written = {
        kind: nibabel.load(finished.out / "predictions" / case / f"{case}_{kind}.nii.gz")
        for kind in ("label", "probs", "confidence")
    }
    for kind, file in written.items():
        assert np.allclose(file.affine, image.affine), kind
        assert file.shape[:3] == image.shape, kind
    probs = written["probs"].get_fdata()
    assert written["probs"].get_data_dtype() == np.float32
    assert written["label"].get_data_dtype() == np.uint8
    assert np.allclose(probs.sum(axis=-1), 1, atol=1e-5)
    assert np.array_equal(probs.argmax(axis=-1), written["label"].get_fdata())
    assert np.allclose(probs.max(axis=-1), written["confidence"].get_fdata())


def test_inference_predicts_what_evaluation_scored(finished: Finished) -> None:
    case = json.loads((finished.out / "split.json").read_text())["test"][0]
    with np.load(finished.out / "slices" / f"{case}.npz") as kept:
        index, scored = int(kept["index"]), kept["probs"]
    probs = nibabel.load(finished.out / "predictions" / case / f"{case}_probs.nii.gz").get_fdata()[:, :, index]
    assert np.allclose(np.moveaxis(scored, 0, -1), probs, atol=1e-4)


def test_a_loss_that_is_no_number_stops_the_training_and_keeps_the_checkpoint(data: Path, tmp_path: Path) -> None:
    overrides = {"optimizer": {"_target_": "torch.optim.SGD", "params": "$@network.parameters()", "lr": 1e-3}}
    # The learning rate is multiplied by 1e37 after the first of two epochs.
    overrides["lr_scheduler#gamma"] = 1e37
    with pytest.raises(SystemExit, match=r"at iteration \d+ \(epoch 2\).*the checkpoint of epoch 1 is in"):
        start("hippocampus_nacl", "train", data, tmp_path, epochs=2, **overrides)
    checkpoint = torch.load(tmp_path / "models" / "checkpoint_epoch=1.pt", weights_only=True)
    assert all(torch.isfinite(weights).all() for weights in checkpoint["network"].values())


def test_weights_broken_by_the_last_step_of_an_epoch_are_not_saved(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"a weight of the network is NaN or infinite.*no checkpoint yet"):
        start("hippocampus_ce", "train", data, tmp_path, epochs=1, batch_size=10**6, learning_rate=math.inf)
    assert not list((tmp_path / "models").glob("*.pt"))


def test_a_collapsed_network_gives_no_results(data: Path, tmp_path: Path) -> None:
    start("hippocampus_ce", "train", data, tmp_path, epochs=1, learning_rate=0.0)
    weights = torch.load(tmp_path / "models" / "model.pt", weights_only=True)
    *_, last = (name for name in weights if name.endswith("bias"))
    weights[last] += torch.tensor([50.0, 0, 0])
    torch.save(weights, tmp_path / "models" / "model.pt")
    with pytest.raises(SystemExit, match=r"background only.*is no result"):
        start("hippocampus_ce", "evaluate", data, tmp_path)
    assert not (tmp_path / "summary.json").exists()


def test_padding_changes_no_measure_of_shape(data: Path, tmp_path: Path) -> None:
    # A network that predicts one class everywhere misses the other: what that costs must not depend on padding.
    start("hippocampus_ce", "train", data, tmp_path, epochs=1)
    weights = torch.load(tmp_path / "models" / "model.pt", weights_only=True)
    *_, last = (name for name in weights if name.endswith("bias"))
    weights[last] += torch.tensor([0, 50.0, 0])
    torch.save(weights, tmp_path / "models" / "model.pt")
    for slice_size in ([48, 64], [64, 80]):
        options = {"slice_size": slice_size, "ckpt_dir": str(tmp_path / "models")}
        start("hippocampus_ce", "evaluate", data, tmp_path / str(slice_size[0]), **options)
    small, large = (read_run(tmp_path / name).cases for name in ("48", "64"))
    for case, values in small.items():
        shape = {name: value for name, value in values.items() if name.startswith(("dice", "hd95", "asd", "missed"))}
        assert shape.items() <= large[case].items()


def test_the_same_seed_trains_the_same_network(data: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        start("hippocampus_nacl", "train", data, tmp_path / name, epochs=1)
    one, two = (torch.load(tmp_path / name / "models" / "model.pt", weights_only=True) for name in ("one", "two"))
    assert all(torch.equal(one[key], two[key]) for key in one)
