"""`monai.bundle.load`, `create_workflow` and `run_workflow` in Python: from another folder, without data or a model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from committed import COLLECTION, FILES, refused
from driven import Driven
from monai.bundle import create_workflow, load, run_workflow

TYPES = {"train": "train", "evaluate": "train", "inference": "infer"}


def test_load_builds_the_network_with_its_weights(
    driven: Driven, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    weights = torch.load(driven.root / "models" / "model.pt", weights_only=True)
    for workflow_type in ("inference", "train"):
        loaded = load(driven.root.name, bundle_dir=str(driven.root.parent), workflow_type=workflow_type, device="cpu")
        assert all(torch.equal(weights[name], value) for name, value in loaded.state_dict().items())
    assert not list(tmp_path.iterdir())


def test_load_takes_options_of_the_network(driven: Driven, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = str(driven.root.parent)
    loaded = load(driven.root.name, bundle_dir=folder, device="cpu", net_override={"dropout": 0.25})
    assert {layer.p for layer in loaded.modules() if isinstance(layer, torch.nn.Dropout)} == {0.25}


@pytest.mark.parametrize("config", TYPES)
def test_a_workflow_is_built_where_there_are_no_data_and_no_model(
    driven: Driven, config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = shutil.copytree(COLLECTION / driven.root.name, tmp_path / "bundle", ignore=shutil.ignore_patterns("eval"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    files = [str(bundle / "configs" / f"{name}.json") for name in FILES[config]]
    workflow = create_workflow(config_file=files, workflow_type=TYPES[config], logging_file=False)
    workflow.initialize()
    assert isinstance(workflow.network_def, torch.nn.Module)
    assert not list((tmp_path / "elsewhere").iterdir())
    assert not (bundle / "eval").exists()


@pytest.mark.parametrize("wrong", [{"num_wokers": 1}, {"loss#penalty_wieght": 0.2}, {"epoch": 2}])
def test_a_wrong_keyword_is_refused(driven: Driven, wrong: dict[str, Any]) -> None:
    [key] = wrong
    with refused(f"unknown option --{key}"):
        run_workflow(config_file=driven.train, workflow_type="train", bundle_root=str(driven.root), **wrong)
