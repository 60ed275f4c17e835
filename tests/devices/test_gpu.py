"""A GPU computes what the CPU does: run where there is one, skipped elsewhere."""

from __future__ import annotations

import csv
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from committed import COLLECTION, start, trimmed, write_dataset
from torch.testing import assert_close

from calib_monai.bins import class_bins, top_label_bins
from calib_monai.boundaries import boundary_weight
from calib_monai.engines import SliceTrainer
from calib_monai.losses import ACELoss, BWCRLoss, CRaCLoss, ECPLoss, MbLSLoss, NACLLoss, SoftDiceLoss, SVLSLoss
from calib_monai.phantoms import make_phantoms
from calib_monai.posthoc import LocalTemperatureScaling, TemperatureScaling
from calib_monai.priors import PRIORS, neighborhood_prior
from calib_monai.regions import REGIONS, region_of
from calib_monai.views import RandomViews, TwoViewInferer

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")]

CUDA = "$torch.device('cuda:0')"
CPU = "$torch.device('cpu')"
METHODS = sorted(path.name.removeprefix("hippocampus_") for path in COLLECTION.glob("hippocampus_*"))
OF_MONAI = ("ce", "dice_ce", "focal", "ls")  # methods whose loss is MONAI's
CLOSE = {"rtol": 1e-5, "atol": 1e-7}
SHAPES = [(3, 4, 48, 40), (2, 4, 20, 16, 12)]
LOSSES: dict[str, Callable[[], torch.nn.Module]] = {
    "ecp": ECPLoss,
    "svls": SVLSLoss,
    "soft_dice": SoftDiceLoss,
    "ace": ACELoss,
    "ace soft": lambda: ACELoss("soft"),
    "mbls": MbLSLoss,
    **{f"nacl {prior}": lambda prior=prior: NACLLoss(prior=prior) for prior in PRIORS},
    "nacl ignoring": lambda: NACLLoss(ignore_index=2),
    "crac": lambda: CRaCLoss(4),
}


@pytest.fixture(autouse=True)
def full_precision() -> Iterator[None]:
    """Convolutions in float32, not in TF32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


@pytest.fixture(params=SHAPES, ids=["2D", "3D"])
def batch(request: pytest.FixtureRequest) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and labels."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(request.param, generator=generator)
    labels = torch.randint(4, (len(logits), 1, *request.param[2:]), generator=generator)
    return logits, labels


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_and_its_gradient_are_those_of_the_cpu(name: str, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = batch
    found = []
    for device in ("cpu", "cuda"):
        here = logits.to(device).detach().clone().requires_grad_()
        value = LOSSES[name]().to(device)(here, labels.to(device))
        value.backward()
        found.append((value.detach().cpu(), here.grad.cpu()))
    assert_close(*found, **CLOSE)


@pytest.mark.parametrize("kind", PRIORS)
def test_a_prior_is_that_of_the_cpu(kind: str, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    _, labels = batch
    here, there = (neighborhood_prior(labels.to(device), 4, kind).cpu() for device in ("cpu", "cuda"))
    assert_close(there, here, **CLOSE)


def test_regions_and_bins_count_the_same_voxels(batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, labels = batch
    probs = logits.softmax(dim=1)
    for region in REGIONS:
        here, there = (region_of(region).mask(labels.to(d), probs.to(d)).cpu() for d in ("cpu", "cuda"))
        assert torch.equal(here, there), region
    flat, classes = probs.movedim(1, 0).flatten(1), labels.flatten()
    for bins in (top_label_bins, class_bins):
        here, there = (bins(flat.to(d), classes.to(d), 15).cpu() for d in ("cpu", "cuda"))
        assert torch.equal(here.count, there.count)
        assert_close(there.confidence, here.confidence)
        assert_close(there.correctness, here.correctness)


def test_views_move_images_as_on_the_cpu() -> None:
    images = torch.rand(6, 2, 48, 40, generator=torch.Generator().manual_seed(0))
    found = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(1)
        view = RandomViews(noise=(0, 0))(images.to(device))  # the noise alone comes from the device's own generator
        found.append((view.image.cpu(), view.back(view.image).cpu(), view.valid().float().cpu()))
    assert_close(*found, rtol=1e-4, atol=1e-4)


def test_the_consistency_of_two_views_is_that_of_the_cpu() -> None:
    images = torch.rand(4, 1, 48, 40, generator=torch.Generator().manual_seed(0))
    labels = (images > 0.7).long()
    found = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(1)
        network = torch.nn.Conv2d(1, 2, 3, padding=1).to(device)
        weight = boundary_weight(labels.to(device))
        views = TwoViewInferer(RandomViews(noise=(0, 0)))(images.to(device), network, weight=weight)
        value = BWCRLoss()(views, labels.to(device))
        value.backward()
        found.append((value.detach().cpu(), network.weight.grad.cpu()))
    assert_close(*found, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["ts", "lts"])
def test_a_calibrator_fits_what_it_fits_on_the_cpu(kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn((4, 3, 40, 40), generator=generator)
    target = (logits + 4 * torch.randn(logits.shape, generator=generator)).argmax(dim=1, keepdim=True)
    image = torch.rand((4, 1, 40, 40), generator=generator)
    found = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        calibrator: Any = TemperatureScaling() if kind == "ts" else LocalTemperatureScaling(3, 1)
        calibrator = calibrator.to(device)
        data = [tuple(part.to(device) for part in (logits, target, image))]
        options = {"epochs": 3} if kind == "lts" else {}
        calibrator.fit(data, **options)
        found.append(calibrator(logits.to(device), image.to(device)).detach().cpu())
    assert_close(found[1], found[0], rtol=1e-2 if kind == "lts" else 1e-4, atol=1e-2 if kind == "lts" else 1e-4)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight hippocampus phantoms."""
    folder = tmp_path_factory.mktemp("data")
    write_dataset("hippocampus", folder, trimmed(make_phantoms(8, seed=5), 12, 24))
    return folder


def history_of(folder: Path) -> list[dict[str, float]]:
    """The rows of a training."""
    with (folder / "history.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


@pytest.mark.parametrize(("method", "close"), [("nacl", 1e-3), ("dice_ce", 1e-3), ("crac", 1e-3)])
def test_a_training_takes_the_steps_of_the_cpu(method: str, close: float, data: Path, tmp_path: Path) -> None:
    for name, device in (("cpu", CPU), ("cuda", CUDA)):
        start(f"hippocampus_{method}", "train", data, tmp_path / name, epochs=2, device=device)
    here, there = (history_of(tmp_path / name) for name in ("cpu", "cuda"))
    for cpu, cuda in zip(here, there, strict=True):
        assert cuda["train_loss"] == pytest.approx(cpu["train_loss"], rel=close)
    if method == "crac":
        states = [
            torch.load(tmp_path / name / "models" / "checkpoint_epoch=2.pt", map_location="cpu", weights_only=True)
            for name in ("cpu", "cuda")
        ]
        assert_close(states[1]["loss"], states[0]["loss"], rtol=1e-2, atol=1e-3)


def test_a_training_goes_on_where_it_stopped(data: Path, tmp_path: Path) -> None:
    settings = {"device": CUDA, "lr_scheduler#milestones": [100]}
    start("hippocampus_nacl", "train", data, tmp_path / "whole", epochs=2, **settings)
    start("hippocampus_nacl", "train", data, tmp_path / "halves", epochs=1, **settings)
    start("hippocampus_nacl", "train", data, tmp_path / "halves", epochs=2, resume=True, **settings)
    whole, halves = (history_of(tmp_path / name)[-1] for name in ("whole", "halves"))
    assert halves["train_loss"] == pytest.approx(whole["train_loss"], rel=1e-3)


def test_one_model_measures_and_predicts_as_on_the_cpu(data: Path, tmp_path: Path) -> None:
    start("hippocampus_nacl", "train", data, tmp_path, epochs=2, device=CUDA)
    models = str(tmp_path / "models")
    for name, device in (("cpu", CPU), ("cuda", CUDA)):
        options = {"device": device, "output_dir": str(tmp_path / name)}
        for step in ("evaluate", "inference"):
            more = {"figures": False} if step == "evaluate" else {"outputs": ["label", "probs", "entropy", "spread"]}
            start("hippocampus_nacl", step, data, tmp_path, **options, **more)
        for kind in ("ts", "lts"):
            copied = tmp_path / f"{name}_{kind}"
            copied.mkdir()
            for file in Path(models).iterdir():
                (copied / file.name).write_bytes(file.read_bytes())
            start(
                "hippocampus_nacl", "calibrate", data, tmp_path, calibrator=kind, **options | {"ckpt_dir": str(copied)}
            )
    here, there = (
        {
            row[0]: [float(value or "nan") for value in row[1:]]
            for row in list(csv.reader((tmp_path / name / "summary.csv").read_text().splitlines()))[1:]
        }
        for name in ("cpu", "cuda")
    )
    assert here.keys() == there.keys()
    for name, values in here.items():
        assert there[name] == pytest.approx(values, rel=1e-2, abs=1e-3, nan_ok=True), name
    for file in sorted((tmp_path / "cpu").rglob("*_label.nii.gz")):
        one = nibabel.load(file).get_fdata()
        other = nibabel.load(tmp_path / "cuda" / file.relative_to(tmp_path / "cpu")).get_fdata()
        assert np.mean(one == other) > 0.999
    fits = [json.loads((tmp_path / name / "calibration_ts.json").read_text()) for name in ("cpu", "cuda")]
    assert fits[1]["temperature_min"] == pytest.approx(fits[0]["temperature_min"], rel=1e-3)


@pytest.mark.filterwarnings("ignore:.torch.cuda.amp:FutureWarning")  # MONAI's
@pytest.mark.parametrize("method", ["nacl", "bwcr", "focal"])
def test_half_precision_trains_and_evaluates(method: str, data: Path, tmp_path: Path) -> None:
    for step, options in (("train", {"epochs": 2}), ("evaluate", {"figures": False})):
        start(f"hippocampus_{method}", step, data, tmp_path, amp=True, device=CUDA, **options)
    assert (tmp_path / "summary.json").is_file()
    assert history_of(tmp_path)[1]["train_loss"] < history_of(tmp_path)[0]["train_loss"]


@pytest.mark.parametrize("method", METHODS)
def test_a_training_step_waits_for_the_gpu_once(
    method: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The one wait is for the range of the labels, which a loss must refuse if they are wrong.
    waits, iteration = [], SliceTrainer._iteration

    def watched(*args: Any) -> Any:
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                return iteration(*args)
        finally:
            torch.cuda.set_sync_debug_mode("default")
            found = [each for each in warned if "synchronizing CUDA operation" in str(each.message)]
            waits.append([f"{Path(each.filename).name}:{each.lineno}" for each in found])

    monkeypatch.setattr(SliceTrainer, "_iteration", watched)
    start(f"hippocampus_{method}", "train", data, tmp_path, epochs=1, device=CUDA)
    assert waits
    assert all(len(of_step) <= 1 for of_step in waits), waits
    assert all(place.startswith("targets.py") for of_step in waits for place in of_step), waits
    assert any(waits) or method in OF_MONAI  # as losses of MONAI's refuse nothing
