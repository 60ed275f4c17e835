"""Fixtures: the trainers on a stand-in for nnU-Net, and nnU-Net itself where it is installed."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from committed import trimmed
from torch import Tensor, nn

from calib_monai.nnunet import TRAINERS
from calib_monai.phantoms import make_phantoms

MODULE = "nnunetv2.training.nnUNetTrainer.nnUNetTrainer"
IGNORED = 3


class Wrapper(nn.Module):
    """Of a loss for outputs of several resolutions, as nnU-Net's: the weighted sum of its values."""

    def __init__(self, loss: nn.Module, weights: tuple[float, ...]) -> None:
        super().__init__()
        self.loss, self.weights = loss, weights

    def forward(self, logits: list[Tensor], target: list[Tensor]) -> Tensor:
        values = [w * self.loss(*each) for w, *each in zip(self.weights, logits, target, strict=True) if w]
        return torch.stack(values).sum()


class StandIn:
    """What the trainers use of nnU-Net's trainer."""

    local_rank, disable_checkpointing = 0, False

    def __init__(self, *, deep: bool, ignored: int | None = None, regions: bool = False, classes: int = 3) -> None:
        self.label_manager = SimpleNamespace(has_regions=regions, ignore_label=ignored, num_segmentation_heads=classes)
        self.enable_deep_supervision = deep
        self.device = torch.device("cpu")
        self.log: list[str] = []
        self.validated: list[Any] = []
        self.loss = self._build_loss()

    def _build_loss(self) -> nn.Module:
        loss = nn.CrossEntropyLoss()
        return Wrapper(loss, (2 / 3, 1 / 3, 0)) if self.enable_deep_supervision else loss

    def on_validation_epoch_end(self, val_outputs: list[Any]) -> None:
        self.validated = val_outputs

    def print_to_log_file(self, line: str) -> None:
        self.log.append(line)

    def save_checkpoint(self, filename: str) -> None:
        torch.save({"network_weights": {}}, filename)

    def load_checkpoint(self, filename: str | dict[str, Any]) -> None:
        if isinstance(filename, str):
            torch.load(filename, weights_only=False)


@pytest.fixture
def trainers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[..., Any]]:
    """The trainers by the name of their method, made as those of `StandIn`."""
    parts = MODULE.split(".")
    for end in range(1, len(parts) + 1):
        monkeypatch.setitem(sys.modules, ".".join(parts[:end]), ModuleType(".".join(parts[:end])))
    vars(sys.modules[MODULE])["nnUNetTrainer"] = StandIn
    found = runpy.run_path(str(TRAINERS / "calib_monai_trainers.py"))
    prefix = "nnUNetTrainer"
    return {
        name.removeprefix(prefix): made for name, made in found.items() if name.startswith(prefix) and name != prefix
    }


@pytest.fixture(scope="session")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which nnU-Net has planned and preprocessed five phantoms, the first slice of which is ignored."""
    pytest.importorskip("nnunetv2", reason="nnU-Net is not installed: pip install calib-monai[nnunet]")
    from nnunetv2.experiment_planning import plan_and_preprocess_api as api  # noqa: PLC0415 - where it is installed

    folder = tmp_path_factory.mktemp("nnunet")
    data = folder / "raw" / "Dataset001_Phantoms"
    for case, (image, label) in trimmed(make_phantoms(5, seed=5), 10, 20).items():
        marked = label.copy()
        marked[..., 0] = IGNORED
        for name, values in ((f"imagesTr/{case}_0000", image), (f"labelsTr/{case}", marked)):
            (data / name).parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), np.eye(4)), data / f"{name}.nii.gz")
    labels = {"background": 0, "anterior": 1, "posterior": 2, "ignore": IGNORED}
    told = {"channel_names": {"0": "MR"}, "labels": labels, "numTraining": 5, "file_ending": ".nii.gz"}
    (data / "dataset.json").write_text(json.dumps(told))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("raw", "preprocessed", "results"):
            patch.setenv(f"nnUNet_{name}", str(folder / name))
        patch.setenv("nnUNet_extTrainer", str(TRAINERS))
        patch.setenv("nnUNet_n_proc_DA", "1")
        api.extract_fingerprints([1], num_processes=1, show_progress_bar=False)
        api.plan_experiments([1])
        api.preprocess_dataset(1, configurations=["2d", "3d_fullres"], num_processes=[1], show_progress_bar=False)
        patch.setenv("nnUNet_n_proc_DA", "0")  # in this process; planning asks for one
        yield folder
