"""Runs that are killed: a training goes on to the same end, and no file is left half written."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from committed import CHECKPOINT, processes, same_bits, start_quietly, trimmed, write_dataset

from calib_monai.phantoms import make_phantoms
from calib_monai.whole_files import UNFINISHED

KILLS = 20
EPOCHS = 6
METHOD = "crac"  # whose loss has a state of its own
TRAINING = {"epochs": EPOCHS, "batch_size": 8, "loss#growth_interval": 2, "augment": True}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six hippocampus phantoms of four slices."""
    folder = tmp_path_factory.mktemp("data")
    write_dataset("hippocampus", folder, trimmed(make_phantoms(6, seed=5), 14, 18))
    return folder


class Runs:
    """Starts runs in processes that have everything imported, and kills some."""

    def __init__(self) -> None:
        self.context = processes()
        self.random = random.Random(9)  # noqa: S311 - not for secrets

    def run(self, *arguments: Any, seconds: float | None = None) -> int:
        """The exit code of a run, negative where it was killed after these seconds, by SIGKILL or SIGTERM."""
        process = self.context.Process(target=start_quietly, args=(f"hippocampus_{METHOD}", *arguments))
        process.start()
        process.join(seconds)
        if process.exitcode is None and process.pid:
            os.kill(process.pid, self.random.choice([signal.SIGKILL, signal.SIGTERM]))
            process.join()
        assert process.exitcode is not None
        return process.exitcode

    def timed(self, *arguments: Any) -> float:
        """How long a run takes that is not killed."""
        begun = time.monotonic()
        assert self.run(*arguments) == 0
        return time.monotonic() - begun


@pytest.fixture(scope="module")
def runs() -> Runs:
    return Runs()


@pytest.fixture(scope="module")
def whole(runs: Runs, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """Where an uninterrupted training is, and how long it took."""
    out = tmp_path_factory.mktemp("whole")
    runs.run("train", data, out, TRAINING | {"epochs": 1})  # the first one starts the server
    out = tmp_path_factory.mktemp("whole")
    return out, runs.timed("train", data, out, TRAINING)


def named(folder: Path) -> Iterator[Path]:
    """What is there under its own name: neither hidden nor in a hidden folder, as what is being written is."""
    for path in folder.rglob("*"):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def checked(folder: Path) -> None:
    """Read every file that is there under its own name."""
    for path in named(folder):
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".pt":
            torch.load(path, weights_only=True)
        elif path.suffix == ".npz":
            np.load(path)["probs"].sum()
        elif path.name.endswith(".nii.gz"):
            nibabel.load(path).get_fdata()


def test_a_training_killed_at_random_moments_ends_as_one_that_was_not(
    runs: Runs, data: Path, whole: tuple[Path, float], tmp_path: Path
) -> None:
    uninterrupted, seconds = whole
    kills, epochs = 0, []
    while kills < KILLS:
        code = runs.run("train", data, tmp_path, TRAINING | {"resume": True}, seconds=runs.random.uniform(0, seconds))
        if code == 0:  # it came to its end: start the next one
            compare(uninterrupted, tmp_path)
            for path in (tmp_path / "models").iterdir():
                path.unlink()
            continue
        kills += 1
        checked(tmp_path)
        found = [int(path.stem.partition("=")[2]) for path in (tmp_path / "models").glob("checkpoint_epoch=*.pt")]
        epochs.append(max(found, default=0))
    assert runs.run("train", data, tmp_path, TRAINING | {"resume": True}) == 0
    compare(uninterrupted, tmp_path)
    assert len(set(epochs)) > 2, f"kills hit only after epochs {epochs}"


def compare(whole: Path, resumed: Path) -> None:
    """Hold a resumed training against one that was not interrupted."""
    name = f"models/checkpoint_epoch={EPOCHS}.pt"
    first, second = (torch.load(out / name, weights_only=True) for out in (whole, resumed))
    assert first.keys() >= CHECKPOINT
    for part in first.keys() | second.keys():
        assert same_bits(first[part], second[part]), part
    assert same_bits(*(torch.load(out / "models/model.pt", weights_only=True) for out in (whole, resumed)))
    assert (whole / "history.csv").read_text() == (resumed / "history.csv").read_text()
    assert [path.name for path in resumed.glob("models/checkpoint*")] == [Path(name).name]


@pytest.mark.parametrize("config", ["evaluate", "calibrate", "inference"])
def test_what_comes_after_training_leaves_whole_files_and_can_be_run_again(
    config: str, runs: Runs, data: Path, whole: tuple[Path, float], tmp_path: Path
) -> None:
    models: dict[str, Any] = {"ckpt_dir": str(whole[0] / "models")}
    models |= {"figures": False} if config == "evaluate" else {}
    seconds = runs.timed(config, data, tmp_path, models)
    written = {path.relative_to(tmp_path) for path in named(tmp_path) if path.suffix not in (".log", ".png")}
    for _ in range(3):
        runs.run(config, data, tmp_path, models, seconds=runs.random.uniform(0.3 * seconds, seconds))
        checked(tmp_path)
    assert runs.run(config, data, tmp_path, models) == 0
    checked(tmp_path)
    again = {path.relative_to(tmp_path) for path in named(tmp_path) if path.suffix not in (".log", ".png")}
    assert again == written
    assert not list(tmp_path.rglob(f"{UNFINISHED}logits*"))
