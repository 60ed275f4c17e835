"""Bundles train and evaluate, on phantoms in the layouts of their data sets; one of each data set infers.

A test holds that a bundle is its data set's part and its method's, with nothing that only the two together have. So
these run: NACL with each data set; each other method with a data set, in turn; and the methods that change more than
the loss also with pictures, with four channels and with ignored labels. `ALL_BUNDLES=1` runs all.
"""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import nibabel
import numpy as np
import pytest
import torch
from committed import (
    BUNDLES,
    CHECKPOINT,
    COLLECTION,
    DATASETS,
    SMALL_NETWORK,
    config_of,
    metrics_of,
    phantoms_of,
    refused,
    start,
    trimmed,
    write_dataset,
)
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose, Orientationd
from spared import leave_undrawn

from calib_monai.phantoms import make_phantoms
from calib_monai.reports.run_files import read_run

SLICE_SIZE = [48, 64]
INFERRING = [f"{name}_nacl" for name in DATASETS]
DRAWN = "hippocampus_nacl"  # the others draw no picture
METHODS = sorted({config_of(path, "train")["method"] for path in BUNDLES})
RUNNING = {
    *INFERRING,
    *(f"{DATASETS[number % len(DATASETS)]}_{method}" for number, method in enumerate(METHODS)),
    *("brats_bwcr", "busi_crac", "mrbrains_consistency"),
}
if "ALL_BUNDLES" in os.environ:
    RUNNING = {path.name for path in BUNDLES}


class Finished(NamedTuple):
    """A bundle that has trained and evaluated, and inferred if it is in `INFERRING`; the folders of data and output."""

    bundle: str
    dataset: str
    data: Path
    out: Path

    @property
    def tested(self) -> str:
        """The first case of the test set."""
        return str(json.loads((self.out / "split.json").read_text())["test"][0])


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """For a data set six phantoms, trimmed to six slices, in the layout of its release."""
    return phantoms_of(tmp_path_factory, 14, 20)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight hippocampus phantoms."""
    folder = tmp_path_factory.mktemp("data")
    write_dataset("hippocampus", folder, trimmed(make_phantoms(8, seed=5), 12, 24))
    return folder


@pytest.fixture(scope="module", params=sorted(RUNNING))
def finished(
    request: pytest.FixtureRequest, folder_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Finished:
    """A bundle after one epoch; one of each data set has the bundle's own network, writes its report and infers."""
    bundle = request.param
    dataset = config_of(bundle, "train")["dataset"]
    finished = Finished(bundle, dataset, folder_of(dataset), tmp_path_factory.mktemp(bundle))
    settings: dict[str, Any] = {"slice_size": SLICE_SIZE}
    quick = {"n4_iterations": [1], "num_slices": 8}
    settings |= {name: value for name, value in quick.items() if name in config_of(bundle, "train")}
    steps: dict[str, dict[str, Any]] = {"train": {"epochs": 1, "batch_size": 8}}
    steps["evaluate"] = {"figures": bundle in INFERRING}
    if bundle in INFERRING:
        steps["inference"] = {}
    else:
        settings |= SMALL_NETWORK
    with pytest.MonkeyPatch.context() as patch:
        if bundle != DRAWN:
            leave_undrawn(patch)
        for config, options in steps.items():
            start(bundle, config, finished.data, finished.out, **settings, **options)
    return finished


def test_training_leaves_the_best_model_and_the_last_checkpoint(finished: Finished) -> None:
    models = finished.out / "models"
    checkpoint = torch.load(models / "checkpoint_epoch=1.pt", weights_only=True)
    averaged = finished.bundle.endswith(("_consistency", "_bwcr"))
    assert set(checkpoint) == CHECKPOINT | ({"ema"} if averaged else set())
    assert checkpoint["trainer"]["iteration"] == checkpoint["trainer"]["epoch_length"]
    written = sorted(path.name for path in models.iterdir())
    assert written == ["checkpoint_epoch=1.pt", "model.json", "model.pt", "split.json"]
    assert set(torch.load(models / "model.pt", weights_only=True)) == set(checkpoint["model"])


def test_evaluation_measures_every_test_case(finished: Finished) -> None:
    split = json.loads((finished.out / "split.json").read_text())
    with (finished.out / "cases.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == split["test"]
    if finished.dataset == "acdc":
        assert [row["patient"] for row in rows] == [row["case"].partition("_frame")[0] for row in rows]
    assert (finished.out / "report" / "report.html").is_file() == finished.bundle.endswith("_nacl")
    run_ = read_run(finished.out)
    assert run_.logits is not None
    assert set(run_.metrics) == metrics_of(config_of(finished.bundle, "evaluate")["+validate"])
    of_none = {name for name, value in run_.metrics.items() if not math.isfinite(value)}
    assert of_none == ({"ece_plausible_debiased"} if len(rows) == 1 else set())  # which a single case has not
    assert run_.slice_of(split["test"][0]).probs.shape[0] == len(run_.class_names)


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_bundle_is_its_data_set_and_its_method(dataset: str) -> None:
    for method in METHODS:
        bundle, plain = COLLECTION / f"{dataset}_{method}", COLLECTION / f"{dataset}_ce"
        of_another = changed(f"{DATASETS[0]}_ce", f"{DATASETS[0]}_{method}")
        assert changed(plain.name, bundle.name) == of_another  # what a method changes is the same in all data sets
        for path in (bundle / "configs").iterdir():
            if path.name == "volumes.json":
                assert_same_but_views(path, plain / "configs" / path.name)
            elif path.name not in ("train.json", "metadata.json"):
                assert path.read_bytes() == (plain / "configs" / path.name).read_bytes()


def assert_same_but_views(path: Path, plain: Path) -> None:
    """A method with views of its own, or a learning rate, has no others for volumes."""
    own, other = (json.loads(file.read_text()) for file in (path, plain))
    if "augmentation" not in own:
        assert other["training_box"].pop("augmentation") == "@augmentation"
        assert other.pop("augmentation")
        assert other.pop("learning_rate")
    assert own == other


def changed(one: str, other: str) -> dict[str, tuple[Any, Any]]:
    """The values that differ between two bundles' trainings, by their places."""
    before, after = (dict(flat(config_of(name, "train"))) for name in (one, other))
    places = before.keys() | after.keys()
    both = {place: (before.get(place, "missing"), after.get(place, "missing")) for place in places}
    return {place: values for place, values in both.items() if values[0] != values[1]}


def flat(content: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Places and values of nested JSON."""
    if not isinstance(content, dict | list) or not content:
        yield place, content
        return
    for key, inner in content.items() if isinstance(content, dict) else enumerate(content):
        yield from flat(inner, f"{place}#{key}")


def loading_of(finished: Finished) -> Compose:
    """The transforms that load a case."""
    return Compose(ConfigParser(config_of(finished.bundle, "train")).get_parsed_content("loading")).flatten()


def loaded(finished: Finished) -> dict[str, Any]:
    """The tested case as its files are read, before anything else."""
    parser = ConfigParser(config_of(finished.bundle, "train"))
    parser["dataset_dir"] = str(finished.data)
    [case] = [case for case in parser.get_parsed_content("datalist")()["test"] if case["case"] == finished.tested]
    return Compose(loading_of(finished).transforms[:1])(case)


@pytest.mark.parametrize("finished", INFERRING, indirect=True)
def test_inference_keeps_the_geometry_of_the_image(finished: Finished) -> None:
    image, case = loaded(finished)["image"], finished.tested
    written = {
        kind: nibabel.load(finished.out / "predictions" / case / f"{case}_{kind}.nii.gz")
        for kind in ("label", "probs", "confidence")
    }
    for kind, file in written.items():
        assert np.allclose(file.affine, image.affine), kind
        assert file.shape[: image.ndim - 1] == image.shape[1:], kind
    label, confidence = written["label"].get_fdata(), written["confidence"].get_fdata()
    probs = written["probs"].get_fdata().reshape(*label.shape, -1)
    assert written["probs"].get_data_dtype() == np.float32
    assert written["label"].get_data_dtype() == np.uint8
    assert np.allclose(probs.sum(axis=-1), 1, atol=1e-5)
    assert np.array_equal(probs.argmax(axis=-1), label)
    assert np.allclose(probs.max(axis=-1), confidence)


@pytest.mark.parametrize("finished", INFERRING, indirect=True)
def test_inference_predicts_what_evaluation_scored(finished: Finished) -> None:
    case = finished.tested
    with np.load(finished.out / "slices" / f"{case}.npz") as kept:
        index, scored = int(kept["index"]) if "index" in kept else 0, np.moveaxis(kept["probs"], 0, -1)
    saved = nibabel.load(finished.out / "predictions" / case / f"{case}_probs.nii.gz")
    probs = saved.get_fdata()
    volume = MetaTensor(np.moveaxis(probs, -1, 0), affine=saved.affine)
    for transform in loading_of(finished).transforms:
        if isinstance(transform, Orientationd):
            volume = transform.ornt_transform(volume)
    probs = np.moveaxis(np.asarray(volume), 0, -1)
    probs = probs.reshape(*probs.shape[:2], -1, probs.shape[-1])[:, :, index]
    assert np.allclose(scored, probs, atol=1e-4)


def test_a_loss_that_is_no_number_stops_the_training_and_keeps_the_checkpoint(data: Path, tmp_path: Path) -> None:
    overrides = {"optimizer": {"_target_": "torch.optim.SGD", "params": "$@network.parameters()", "lr": 1e-3}}
    # The learning rate is multiplied by 1e37 after the first of two epochs.
    overrides["lr_scheduler#gamma"] = 1e37
    with refused(r"at iteration \d+ \(epoch 2\).*the checkpoint of epoch 1 is in"):
        start("hippocampus_nacl", "train", data, tmp_path, epochs=2, **overrides)
    checkpoint = torch.load(tmp_path / "models" / "checkpoint_epoch=1.pt", weights_only=True)
    assert all(torch.isfinite(weights).all() for weights in checkpoint["model"].values())


def test_weights_broken_by_the_last_step_of_an_epoch_are_not_saved(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_step(optimizer: torch.optim.Optimizer) -> None:
        optimizer.param_groups[0]["params"][0].data.fill_(math.inf)

    monkeypatch.setattr(torch.optim.Adam, "step", broken_step)
    with refused(r"a weight of the network is NaN or infinite.*no checkpoint yet"):
        start("hippocampus_ce", "train", data, tmp_path, epochs=1, batch_size=10**6)
    assert not list((tmp_path / "models").glob("*.pt"))


def test_a_collapsed_network_gives_no_results(data: Path, tmp_path: Path) -> None:
    start("hippocampus_ce", "train", data, tmp_path, epochs=1, **{"optimizer#lr": 1e-30})
    weights = torch.load(tmp_path / "models" / "model.pt", weights_only=True)
    *_, last = (name for name in weights if name.endswith("bias"))
    weights[last] += torch.tensor([50.0, 0, 0])
    torch.save(weights, tmp_path / "models" / "model.pt")
    with refused(r"background only.*is no result"):
        start("hippocampus_ce", "evaluate", data, tmp_path, figures=False)
    assert not (tmp_path / "summary.json").exists()


def test_padding_changes_no_measure_of_shape(data: Path, tmp_path: Path) -> None:
    # A network that predicts one class everywhere misses the other: what that costs must not depend on padding.
    start("hippocampus_ce", "train", data, tmp_path, epochs=1)
    weights = torch.load(tmp_path / "models" / "model.pt", weights_only=True)
    *_, last = (name for name in weights if name.endswith("bias"))
    weights[last] += torch.tensor([0, 50.0, 0])
    torch.save(weights, tmp_path / "models" / "model.pt")
    (tmp_path / "models" / "model.json").write_text("{}")  # which says nothing of a size
    for slice_size in ([48, 64], [64, 80]):
        options = {"slice_size": slice_size, "ckpt_dir": str(tmp_path / "models"), "figures": False}
        start("hippocampus_ce", "evaluate", data, tmp_path / str(slice_size[0]), **options)
    small, large = (read_run(tmp_path / name).cases for name in ("48", "64"))
    for case, values in small.items():
        shape = {name: value for name, value in values.items() if name.startswith(("dice", "hd95", "asd", "missed"))}
        assert shape.items() <= large[case].items()


def test_an_epoch_may_have_a_number_of_iterations(data: Path, tmp_path: Path) -> None:
    start("hippocampus_ce", "train", data, tmp_path, epochs=2, **{"train#trainer#epoch_length": 2})
    trainer = torch.load(tmp_path / "models" / "checkpoint_epoch=2.pt", weights_only=True)["trainer"]
    assert (trainer["iteration"], trainer["epoch_length"]) == (4, 2)


def test_the_same_seed_trains_the_same_network(data: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        start("hippocampus_nacl", "train", data, tmp_path / name, epochs=1)
    one, two = (torch.load(tmp_path / name / "models" / "model.pt", weights_only=True) for name in ("one", "two"))
    assert all(torch.equal(one[key], two[key]) for key in one)
