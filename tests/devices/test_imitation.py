"""Bundles keep to one device at a time, on a GPU that is imitated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from committed import SMALL_NETWORK, config_of, start, trimmed, write_dataset
from imitation import CARD, imitated_gpu

from calib_monai.labels import united
from calib_monai.phantoms import make_phantoms

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
