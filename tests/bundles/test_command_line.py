"""Bundles as a user runs them: `python -m monai.bundle run`.

A refused run is a process of its own; the others are processes that have everything imported already. (Runs that
succeed are processes of their own in the tests of the workflow and of exports.)
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from committed import COLLECTION, config_of, trimmed, write_dataset
from spared import fresh
from tried import Tried, run_line

from calib_monai.datalists.hippocampus import write_hippocampus
from calib_monai.phantoms import make_phantoms

BUNDLE = COLLECTION / "hippocampus_nacl"


def arguments(config_file: str, *options: object) -> list[str]:
    return ["run", "--config_file", config_file, *map(str, options)]


def quick_run(*given: object, cwd: Path) -> Tried:
    """A run in a process that has everything imported already."""
    return run_line(cwd, arguments(*given))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "Task04 Hippocampus"
    write_hippocampus(str(folder), trimmed(make_phantoms(4, seed=7), 12, 24))
    return folder


def test_a_copied_bundle_runs_from_inside_itself(data: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(BUNDLE, tmp_path / "mine", ignore=shutil.ignore_patterns("models", "eval"))
    for config_file, *options in (
        ("configs/train.json", "--epochs", 1),
        ("['configs/train.json','configs/evaluate.json']",),
        ("configs/inference.json",),
    ):
        done = quick_run(config_file, "--dataset_dir", data, *options, cwd=bundle)
        assert done.code == 0, done.said[-2000:]
    assert "1 case(s): the maps and the structures in numbers are in ./eval/predictions" in done.said
    assert len(list((bundle / "eval" / "predictions").glob("*/*.nii.gz"))) == 3
    assert (bundle / "models" / "model.pt").is_file()
    assert (bundle / "eval" / "summary.json").is_file()


@pytest.mark.parametrize("dataset", ["brats", "busi"])  # volumes of four channels, pictures; test_runs.py trains all
def test_bundles_of_other_kinds_train(dataset: str, tmp_path: Path) -> None:
    bundle = shutil.copytree(
        COLLECTION / f"{dataset}_nacl", tmp_path / "mine", ignore=shutil.ignore_patterns("models", "eval")
    )
    num_classes = config_of(bundle, "train")["num_classes"]
    write_dataset(dataset, tmp_path / "data", trimmed(make_phantoms(6, seed=7, num_classes=num_classes), 14, 18))
    options = ["--dataset_dir", tmp_path / "data", "--epochs", 1, "--slice_size", "[48,64]"]
    done = quick_run("configs/train.json", *options, cwd=bundle)
    assert done.code == 0, done.said[-2000:]
    assert "The best model is ./models/model.pt" in done.said


@pytest.mark.parametrize(
    ("config", "options", "said"),
    [
        ("train", ["--epoch", "1"], "error: unknown option --epoch: there is no 'epoch'; did you mean --epochs?"),
        ("train", ["--dataset_dir", "/nowhere"], "error: dataset_dir /nowhere is not a folder"),
        ("inference", ["--input", "/nowhere.nii.gz"], "error: there is no model at"),
        ("evaluate", [], "error: configs/evaluate.json changes 'cases', which no file before it has; give both"),
    ],
)
def test_a_refusal_is_the_last_line_and_the_exit_code(
    config: str, options: list[str], said: str, tmp_path: Path
) -> None:
    bundle = shutil.copytree(BUNDLE, tmp_path / "mine", ignore=shutil.ignore_patterns("models", "eval"))
    done = quick_run(f"configs/{config}.json", *options, cwd=bundle)
    assert done.code == 1
    assert done.last_line.startswith(said)
    assert "Traceback" not in done.said
    assert sorted(path.name for path in bundle.iterdir()) == ["LICENSE", "configs", "docs"]


def test_a_refusal_of_a_process_of_its_own_is_its_last_line_too(tmp_path: Path) -> None:
    bundle = shutil.copytree(BUNDLE, tmp_path / "mine", ignore=shutil.ignore_patterns("models", "eval"))
    command = [sys.executable, "-m", "monai.bundle", *arguments("configs/train.json", "--epoch", 1)]
    done = subprocess.run(command, cwd=bundle, capture_output=True, encoding="utf-8", check=False, env=fresh())  # noqa: S603 - our own
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: unknown option --epoch: there is no 'epoch'; did you mean")
    assert "Traceback" not in done.stderr
