"""Bundles keep to one device at a time, on a GPU that is imitated."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from committed import SMALL_NETWORK, config_of, start, trimmed, write_dataset
from imitation import CARD, imitated_gpu
from monai.losses import DiceCELoss

from calib_monai.bins import Bins, top_label_bins
from calib_monai.labels import united
from calib_monai.losses import (
    ACELoss,
    BWCRLoss,
    CompoundLoss,
    CRaCLoss,
    ECPLoss,
    IgnoringLoss,
    MbLSLoss,
    NACLLoss,
    SoftDiceLoss,
    SVLSLoss,
)
from calib_monai.metrics import (
    BrierMetric,
    ECEMetric,
    HD95Metric,
    MetricCollection,
    MissedStructuresMetric,
    NLLMetric,
    TACEMetric,
)
from calib_monai.phantoms import make_phantoms

DICE_CE = DiceCELoss(softmax=True, to_onehot_y=True)
DEVICE = "$torch.device('cuda:0')"
# A loss with multipliers and the fitted network of LTS; views, four channels and resampling; pictures without a depth.
KINDS = [("hippocampus_crac", "lts"), ("brats_bwcr", "ts"), ("busi_dice_ce", "ts")]


@pytest.mark.parametrize(("bundle", "calibrator"), KINDS)
def test_a_bundle_runs_on_a_gpu(bundle: str, calibrator: str, tmp_path: Path) -> None:
    config = config_of(bundle, "train")
    data, dataset = tmp_path / "data", config["dataset"]
    data.mkdir()
    write_dataset(dataset, data, trimmed(make_phantoms(6, seed=5, num_classes=config["num_classes"]), 14, 20))
    options: dict[str, Any] = {"device": DEVICE, "slice_size": [48, 64], **SMALL_NETWORK}
    options |= {name: value for name, value in {"n4_iterations": [1], "num_slices": 8}.items() if name in config}
    outputs = ["label", "probs", "confidence", "entropy", "spread", "margin"]
    levels = {"conformal#coverage": 0.5, "conformal#miss_rate": 0.5}  # which one case allows
    with imitated_gpu():
        augmented = {"augment": True} if "augment" in config else {}
        start(bundle, "train", data, tmp_path, epochs=1, batch_size=8, **augmented, **options)
        options["calibrator"] = calibrator
        start(bundle, "calibrate", data, tmp_path, **options)
        start(bundle, "evaluate", data, tmp_path, figures=False, **options, **levels)
        start(bundle, "inference", data, tmp_path, outputs=outputs, num_views=2, **options, **levels)
    assert (tmp_path / "summary.json").is_file()
    assert list(tmp_path.rglob("*_entropy.nii.gz"))
    assert {"covered_volumes", "miss_rate_margin"} <= json.loads((tmp_path / "summary.json").read_text())[
        "metrics"
    ].keys()


def test_a_training_goes_on_on_a_gpu(tmp_path: Path) -> None:
    write_dataset("hippocampus", tmp_path / "data", trimmed(make_phantoms(6, seed=5), 14, 20))
    options = SMALL_NETWORK | {"device": DEVICE}
    with imitated_gpu():
        start("hippocampus_crac", "train", tmp_path / "data", tmp_path, epochs=1, **options)
        options |= {"resume": True, "lr_scheduler#milestones": [1]}
        start("hippocampus_crac", "train", tmp_path / "data", tmp_path, epochs=2, **options)
    assert (tmp_path / "models" / "checkpoint_epoch=2.pt").is_file()


def test_classes_unite_on_a_gpu() -> None:
    with imitated_gpu():
        masks = united(torch.tensor([[0, 1, 2, 3]]).to(CARD), [[1, 2]])
        assert masks.device == CARD
        assert masks.cpu().tolist() == [[0, 1, 1, 0]]


LOSSES: dict[str, Callable[[], torch.nn.Module]] = {
    "ACE": ACELoss,
    "CRaC": lambda: CRaCLoss(3),
    "Compound": lambda: CompoundLoss({"dice": DICE_CE}, {"dice": 1.0}),
    "ECP": ECPLoss,
    "Ignoring": lambda: IgnoringLoss(DICE_CE, 255),
    "MbLS": MbLSLoss,
    "NACL": NACLLoss,
    "SVLS": SVLSLoss,
    "SoftDice": SoftDiceLoss,
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_refuses_a_target_on_another_device(name: str) -> None:
    logits, target = torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    with imitated_gpu():
        loss = LOSSES[name]().to(CARD)
        with pytest.raises(
            ValueError, match=r"^logits are on cuda:0 and target is on cpu; both must be on one device$"
        ):
            loss(logits.to(CARD), target)
        assert loss(logits.to(CARD), target.to(CARD)).device == CARD


@pytest.mark.parametrize("apart", ["target", "second", "valid", "weight"])
def test_bwcr_refuses_a_part_on_another_device(apart: str) -> None:
    parts = {"logits": torch.zeros(1, 3, 4, 4), "second": torch.zeros(1, 3, 4, 4), "target": torch.zeros(1, 1, 4, 4)}
    parts |= {"valid": torch.ones(1, 2, 4, 4, dtype=torch.bool), "weight": torch.ones(1, 1, 4, 4)}
    with imitated_gpu():
        parts = {name: part if name == apart else part.to(CARD) for name, part in parts.items()}
        views = tuple(parts[name] for name in ("logits", "second", "valid", "weight"))
        with pytest.raises(
            ValueError, match=f"^logits are on cuda:0 and {apart} is on cpu; both must be on one device"
        ):
            BWCRLoss()(views, parts["target"])


METRICS: dict[str, Callable[[], Any]] = {
    "ece": ECEMetric,
    "tace": TACEMetric,
    "brier": BrierMetric,
    "hd95": HD95Metric,
    "missed": MissedStructuresMetric,
    "collection": lambda: MetricCollection({"ece": ECEMetric(), "nll": NLLMetric()}),
}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_takes_batches_of_two_devices(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (2, 1, 6, 5, 4), generator=generator)
    probs = torch.rand(2, 3, 6, 5, 4, generator=generator).softmax(dim=1)
    pred = probs
    if name in ("hd95", "missed"):  # measures of masks
        pred, labels = (torch.nn.functional.one_hot(of, 3).movedim(-1, 1) for of in (pred.argmax(1), labels[:, 0]))
    with imitated_gpu():
        alone, mixed = METRICS[name](), METRICS[name]()
        alone(pred, labels)
        mixed(pred[:1].to(CARD), labels[:1].to(CARD))
        mixed(pred[1:], labels[1:])
        torch.testing.assert_close(mixed.aggregate(), alone.aggregate())
        torch.testing.assert_close(mixed.values(), alone.values(), equal_nan=True)


def test_bins_of_two_devices_are_not_added() -> None:
    with imitated_gpu():
        bins = top_label_bins(torch.tensor([[0.3, 0.8], [0.7, 0.2]]), torch.tensor([1, 0]))
        there = Bins(*(part.to(CARD) for part in (bins.count, bins.confidence, bins.correctness, bins.total)))
        with pytest.raises(ValueError, match=r"^bins on cuda:0 and cpu cannot be added: move one with cpu\(\)$"):
            there + bins
        assert torch.equal((there.cpu() + bins).count, 2 * bins.count)


def test_the_imitation_refuses_two_devices() -> None:
    with imitated_gpu():
        here, there = torch.ones(3), torch.ones(3).to(CARD)
        assert (there + 1).device == CARD == (there * torch.tensor(2.0)).device
        assert here.device == there.cpu().device == torch.device("cpu")
        with pytest.raises(RuntimeError, match="same device"):
            here + there
        with pytest.raises(RuntimeError, match="same device"):
            torch.nn.Linear(3, 1).to(CARD)(here)
        with pytest.raises(RuntimeError, match="indices should be"):
            here[there > 0]
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()
        assert there.numpy(force=True).tolist() == [1, 1, 1]
        here[:] = there  # a copy from one to the other
        assert here.device.type == "cpu"


WAITS: dict[str, tuple[int, Callable[[torch.Tensor], object]]] = {
    "a number": (1, lambda there: there.sum().item()),
    "a list": (1, torch.Tensor.tolist),
    "a condition": (1, lambda there: 0 if there.all() else 1),
    "a comparison": (1, lambda there: there.equal(there)),
    "a mask": (1, lambda there: there[there > 0]),
    "places": (1, lambda there: (there > 0).nonzero()),
    "a list as index": (1, lambda there: there[[0, 2]]),
    "an array": (1, lambda there: there.numpy(force=True)),
    "back": (1, torch.Tensor.cpu),
    "from the CPU": (1, lambda _: torch.ones(2).to(CARD)),
    "new from the CPU": (1, lambda _: torch.tensor([1.0], device=CARD)),
    "from the CPU in its own time": (0, lambda _: torch.ones(2).to(CARD, non_blocking=True)),
    "made there": (0, lambda _: torch.ones(2, device=CARD)),
    "a type": (0, lambda there: there.to(torch.float64)),
    "computed": (0, lambda there: (there[1:] * there[:1])[torch.zeros_like(there).long()].sum()),
    "on the CPU": (0, lambda _: torch.ones(2)[torch.ones(2) > 0].tolist()),
}


@pytest.mark.parametrize("what", WAITS)
def test_the_imitation_counts_waits(what: str) -> None:
    number, does = WAITS[what]
    with imitated_gpu() as gpu:
        there = torch.ones(3, device=CARD)
        gpu.waits.clear()
        does(there)
        assert len(gpu.waits) == number
