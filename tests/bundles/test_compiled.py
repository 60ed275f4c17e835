"""Compiled networks: their weights have the names of the plain network, in every file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from committed import SMALL_NETWORK, start, trimmed, write_dataset

from calib_monai.phantoms import make_phantoms

COMPILED = {"network": "$torch.compile(@network_def.to(@device), backend='eager')"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_dataset("hippocampus", folder, trimmed(make_phantoms(12, seed=5), 14, 17))
    return folder


def test_a_network_is_trained_compiled_and_goes_on_and_is_measured_without(data: Path, tmp_path: Path) -> None:
    options = SMALL_NETWORK | {"batch_size": 8}
    start("hippocampus_nacl", "train", data, tmp_path, epochs=1, **options, **COMPILED)
    models = tmp_path / "models"
    weights = torch.load(models / "model.pt", weights_only=True)
    checkpoint = torch.load(models / "checkpoint_epoch=1.pt", weights_only=True)
    assert set(checkpoint["model"]) == set(weights)
    assert not [name for name in weights if "_orig_mod" in name]
    assert "ema" not in checkpoint
    start("hippocampus_nacl", "train", data, tmp_path, epochs=2, resume=True, **options)
    for place, kind in enumerate(({}, COMPILED)):
        out = {"ckpt_dir": str(models), "output_dir": str(tmp_path / str(place)), "figures": False}
        start("hippocampus_nacl", "evaluate", data, tmp_path, **SMALL_NETWORK, **out, **kind)
    assert (tmp_path / "0" / "cases.csv").read_bytes() == (tmp_path / "1" / "cases.csv").read_bytes()
