"""Bundles as Python runs them, in a notebook, an application or a server: what is wrong is an exception there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from committed import COLLECTION, FILES, config_of, refused, start, trimmed, write_dataset
from monai.bundle import ConfigParser, ConfigWorkflow, create_workflow

from calib_monai.phantoms import make_phantoms
from calib_monai.posthoc import load_calibrator

BUNDLE = COLLECTION / "hippocampus_ce"


def places(folder: Path) -> dict[str, Any]:
    """Where a run reads and writes; there are no data."""
    paths = {"ckpt_dir": folder / "models", "output_dir": folder / "eval", "dataset_dir": folder / "nowhere"}
    return {"bundle_root": str(BUNDLE), **{name: str(path) for name, path in paths.items()}}


def by_run(folder: Path, options: dict[str, Any]) -> None:
    start(BUNDLE.name, "train", folder / "nowhere", folder, **options)


def by_workflow(folder: Path, options: dict[str, Any]) -> None:
    config = str(BUNDLE / "configs" / "train.json")
    create_workflow(config_file=config, workflow_type="train", **places(folder), **options).run()


def by_parser(folder: Path, options: dict[str, Any]) -> None:
    parser = ConfigParser(config_of(BUNDLE, "train") | places(folder))
    parser.update(options)
    for name in ("initialize", "run"):
        parser.get_parsed_content(name)


@pytest.mark.parametrize("call", [by_run, by_workflow, by_parser])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "^dataset_dir .*nowhere is not a folder"),
        ({"val_interval": 2, "epochs": 1}, "^epochs is 1 and val_interval 2; needed are whole numbers"),
        ({"loss": {"_target_": "calib_monai.losses.MbLSLoss", "margin": -1}}, "^margin is -1; it must be a finite"),
    ],
)
def test_python_gets_an_exception_with_the_line_and_keeps_its_hook(
    call: Any, options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    hook = sys.excepthook
    with refused(said):
        call(tmp_path, options)
    assert sys.excepthook is hook


def by_hand(folder: Path, options: dict[str, Any]) -> None:
    config = str(BUNDLE / "configs" / "train.json")
    ConfigWorkflow(config_file=config, **places(folder), **options).initialize()


@pytest.mark.parametrize("call", [by_run, by_workflow, by_hand])
def test_python_is_asked_whether_it_meant_a_key_that_there_is(call: Any, tmp_path: Path) -> None:
    with refused("^unknown option --num_wokers: there is no 'num_wokers'; did you mean --num_workers\\?$"):
        call(tmp_path, {"num_wokers": 1})


@pytest.mark.parametrize("call", [by_run, by_workflow])
def test_python_is_asked_so_about_keys_inside_of_others(call: Any, tmp_path: Path) -> None:
    with refused("^unknown option --train#trainer#max_epoch: .*did you mean --train#trainer#max_epochs"):
        call(tmp_path, {"train#trainer#max_epoch": 1})
    with refused("^--epochs three: it must be a number"):
        call(tmp_path, {"epochs": "three"})


@pytest.mark.parametrize("config", ["train", "evaluate", "calibrate", "inference"])
def test_a_workflow_is_built_where_there_are_no_data_and_no_model(config: str, tmp_path: Path) -> None:
    files = [str(BUNDLE / "configs" / f"{name}.json") for name in FILES[config]]
    workflow = create_workflow(config_file=files, workflow_type="train", **places(tmp_path))
    assert isinstance(workflow.network_def, torch.nn.Module)
    assert not list(tmp_path.iterdir())


def test_a_calibrator_that_is_not_there_is_an_exception(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^there is no model at"):
        load_calibrator("ts", str(tmp_path), 3, 1)


def test_a_training_that_has_had_its_epochs_returns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_dataset("hippocampus", tmp_path / "data", trimmed(make_phantoms(4, seed=7), 12, 16))
    for resume in (False, True):
        start(BUNDLE.name, "train", tmp_path / "data", tmp_path, epochs=1, resume=resume)
        assert "The best model is" in capsys.readouterr().out
    assert len((tmp_path / "history.csv").read_text(encoding="utf-8").splitlines()) == 2
