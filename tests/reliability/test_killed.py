"""Runs that are killed: a training goes on to the same end, and no file is left half written."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from committed import CHECKPOINT, SMALL_NETWORK, processes, same_bits, start_quietly, trimmed, write_dataset
from torch.optim.optimizer import register_optimizer_step_post_hook

from calib_monai.phantoms import make_phantoms
from calib_monai.whole_files import UNFINISHED

KILLS = 12
EPOCHS = 5
MOMENTS = ("open", "os.rename", "os.remove")  # of a file, in the words of audits; a step of the optimizer is one too
METHOD = "crac"  # whose loss has a state of its own
TRAINING = SMALL_NETWORK | {"epochs": EPOCHS, "batch_size": 8, "loss#growth_interval": 2, "augment": True}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six hippocampus phantoms of four slices."""
    folder = tmp_path_factory.mktemp("data")
    write_dataset("hippocampus", folder, trimmed(make_phantoms(6, seed=5), 14, 18))
    return folder


def watched(moment: int, by: int, counted: Any, *arguments: Any) -> None:
    """A run that is killed at such a moment, counted from 1; `counted` becomes the number of moments."""
    out = os.fsencode(arguments[3])

    def count(*_: Any) -> None:
        counted.value += 1
        if counted.value == moment:
            os.kill(os.getpid(), by)

    def audit(event: str, given: tuple[Any, ...]) -> None:
        if event in MOMENTS and isinstance(given[0], str | bytes | Path) and os.fsencode(given[0]).startswith(out):
            count()

    sys.addaudithook(audit)
    register_optimizer_step_post_hook(count)
    start_quietly(*arguments)


class Runs:
    """Starts runs in processes that have everything imported, and kills some."""

    def __init__(self) -> None:
        self.context = processes()
        self.random = random.Random(9)  # noqa: S311 - not for secrets

    def run(self, *arguments: Any, moment: int = 0) -> int:
        """How many moments a run had: all, or fewer than `moment` where it ended before it was killed then."""
        counted, by = self.context.Value("i", 0), self.random.choice([signal.SIGKILL, signal.SIGTERM])
        given = (moment, by, counted, f"hippocampus_{METHOD}", *arguments)
        process = self.context.Process(target=watched, args=given)
        process.start()
        process.join()
        assert process.exitcode == (-by if counted.value >= moment > 0 else 0)
        return int(counted.value)

    def moments(self, kills: int, last: int) -> list[int]:
        """Moments to kill at, one at random of each of so many parts of all from 1 to `last`, shuffled."""
        chosen = [1 + int((part + self.random.random()) * last / kills) for part in range(kills)]
        return self.random.sample(chosen, kills)


@pytest.fixture(scope="module")
def runs() -> Runs:
    return Runs()


@pytest.fixture(scope="module")
def whole(runs: Runs, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Where an uninterrupted training is, and how many moments it had."""
    out = tmp_path_factory.mktemp("whole")
    return out, runs.run("train", data, out, TRAINING)


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


def test_a_training_killed_at_any_moment_ends_as_one_that_was_not(
    runs: Runs, data: Path, whole: tuple[Path, int], tmp_path: Path
) -> None:
    uninterrupted, count = whole
    epochs = []
    for moment in runs.moments(KILLS, 2 * count // EPOCHS):  # so it needs several, which hit all its parts
        while runs.run("train", data, tmp_path, TRAINING | {"resume": True}, moment=moment) < moment:
            compare(uninterrupted, tmp_path)  # it came to its end: start the next one
            for path in (tmp_path / "models").iterdir():
                path.unlink()
        checked(tmp_path)
        found = [int(path.stem.partition("=")[2]) for path in (tmp_path / "models").glob("checkpoint_epoch=*.pt")]
        epochs.append(max(found, default=0))
    runs.run("train", data, tmp_path, TRAINING | {"resume": True})
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
    config: str, runs: Runs, data: Path, whole: tuple[Path, int], tmp_path: Path
) -> None:
    models: dict[str, Any] = SMALL_NETWORK | {"ckpt_dir": str(whole[0] / "models")}
    models |= {"figures": False} if config == "evaluate" else {}
    count = runs.run(config, data, tmp_path, models)
    written = {path.relative_to(tmp_path) for path in named(tmp_path) if path.suffix not in (".log", ".png")}
    for moment in runs.moments(3, count):
        assert runs.run(config, data, tmp_path, models, moment=moment) == moment
        checked(tmp_path)
    runs.run(config, data, tmp_path, models)
    checked(tmp_path)
    again = {path.relative_to(tmp_path) for path in named(tmp_path) if path.suffix not in (".log", ".png")}
    assert again == written
    assert not list(tmp_path.rglob(f"{UNFINISHED}logits*"))


def stopped(name: str, *arguments: Any) -> None:
    """A run that is killed before the second file of such a name is in its place."""
    replace, times = Path.replace, []

    def counted(self: Path, target: Path) -> Path:
        times.extend([1] if name in target.name else [])
        if len(times) > 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(self, target)

    Path.replace = counted  # type: ignore[method-assign]
    start_quietly(*arguments)


def idle(*arguments: Any) -> None:
    """A run whose optimizer does nothing: repeated epochs do not come out the same, as on a GPU."""
    torch.optim.Adam.step = lambda *_: None  # type: ignore[method-assign,assignment]
    start_quietly(*arguments)


@pytest.mark.parametrize("name", ["checkpoint_epoch", "model.json", "model.pt"])
def test_the_best_model_is_of_an_epoch_in_the_history(name: str, data: Path, tmp_path: Path) -> None:
    options = SMALL_NETWORK | {"batch_size": 8, "learning_rate": 0.01, "epochs": 3}
    places = "hippocampus_dice_ce", "train", data, tmp_path
    assert ended(stopped, name, *places, options) == -signal.SIGKILL
    assert list(tmp_path.rglob(f"{UNFINISHED}*{name}*"))
    assert ended(idle, *places, options | {"resume": True}) == 0
    assert not list(tmp_path.rglob(f"{UNFINISHED}*"))
    last = torch.load(tmp_path / "models" / "checkpoint_epoch=3.pt", weights_only=True)
    assert last["validation"]["best_metric_epoch"] == (1 if name == "checkpoint_epoch" else 2)
    assert same_bits(torch.load(tmp_path / "models" / "model.pt", weights_only=True), last["model"])


def ended(target: Callable[..., None], *arguments: Any) -> int | None:
    """The exit code of a process that calls a function."""
    process = processes().Process(target=target, args=arguments)
    process.start()
    process.join()
    return process.exitcode
