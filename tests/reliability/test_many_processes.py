"""Runs of several processes: the numbers of one, no case lost or counted twice, and none left behind."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from committed import SMALL_NETWORK, processes, start_quietly, trimmed, write_dataset
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from calib_monai.phantoms import make_phantoms

METHOD = "crac"  # whose multipliers come from the validation cases of all processes
# Gradients that should be 0, of a bias before a normalization, are noise, and Adam makes steps of it; SGD does not.
TRAINING = SMALL_NETWORK | {"epochs": 1, "batch_size": 7, "optimizer#_target_": "torch.optim.SGD"}
OF_TEST_SET = ("cases.csv", "summary.json", "bins.json", "logits.json")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hippocampus phantoms of three slices: 19 to train on, 3 for validation, 5 to test on."""
    folder = tmp_path_factory.mktemp("data")
    write_dataset("hippocampus", folder, trimmed(make_phantoms(27, seed=5), 14, 17))
    return folder


def one_of(places: dict[str, str], config: str, data: Path, out: Path, options: dict[str, Any]) -> None:
    """One of the processes, in its place among them."""
    os.environ |= places
    start_quietly(f"hippocampus_{METHOD}", config, data, out, options)


def run(count: int, config: str, data: Path, out: Path, **options: Any) -> Path:
    """A run of so many processes, as torchrun starts them."""
    out.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    places = [{"RANK": str(rank), "LOCAL_RANK": str(rank), **shared} for rank in range(count)] if count > 1 else [{}]
    started = [processes().Process(target=one_of, args=(place, config, data, out, options)) for place in places]
    for process in started:
        process.start()
    for process in started:
        process.join(120)
        process.kill()  # where it waits for one that is not there
    assert [process.exitcode for process in started] == [0] * count
    return out


def checkpoint_of(run: Path) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(run / "models" / "checkpoint_epoch=1.pt", weights_only=True)
    return checkpoint


def measured(run: Path) -> dict[str, float]:
    """What the one epoch of a training measured."""
    [row] = csv.DictReader((run / "history.csv").read_text(encoding="utf-8").splitlines())
    return {name: float(value) for name, value in row.items()}


@pytest.fixture(scope="module")
def alone(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of one process, and its evaluation."""
    out = run(1, "train", data, tmp_path_factory.mktemp("alone"), **TRAINING)
    return run(1, "evaluate", data, out, output_dir=str(out / "eval"), figures=False, **SMALL_NETWORK)


def test_two_processes_train_as_one_does(data: Path, alone: Path, tmp_path: Path) -> None:
    # 57 slices in batches of 7, of which one process has 4 and one 3, and the last of 1, of which the second has none.
    two = checkpoint_of(run(2, "multi_gpu_train", data, tmp_path, **TRAINING))
    one = checkpoint_of(alone)
    for name, weights in one["model"].items():
        torch.testing.assert_close(two["model"][name], weights, rtol=1e-5, atol=1e-6, msg=name)
    assert measured(tmp_path)["train_loss"] == pytest.approx(measured(alone)["train_loss"], rel=1e-6)
    log = (tmp_path / "multi_gpu_train1.log").read_text(encoding="utf-8")
    assert "Epoch" not in log  # the first process speaks for all
    assert "Epoch" in (tmp_path / "multi_gpu_train0.log").read_text(encoding="utf-8")
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1


def test_two_processes_measure_and_constrain_as_one_does(data: Path, tmp_path: Path) -> None:
    # Steps too small for any weight leave the network of the seed in both: what is left is what was gathered.
    one, two = (
        run(count, config, data, tmp_path / config, **TRAINING | {"optimizer#lr": 1e-30})
        for count, config in ((1, "train"), (2, "multi_gpu_train"))
    )
    for name, state in checkpoint_of(one)["loss"].items():
        torch.testing.assert_close(checkpoint_of(two)["loss"][name], state, rtol=1e-6, atol=0)
    assert measured(two) == pytest.approx(measured(one), rel=1e-6)


def test_two_processes_train_with_cases_that_another_program_lists(data: Path, tmp_path: Path) -> None:
    folder = data / "imagesTr"
    cases = [{"image": str(file), "label": str(data / "labelsTr" / file.name)} for file in sorted(folder.iterdir())]
    listed = {"train#dataset#data": cases[:12], "validate#dataset#data": cases[12:16]}
    run(2, "multi_gpu_train", tmp_path / "nowhere", tmp_path, **TRAINING | listed)
    split = json.loads((tmp_path / "models" / "split.json").read_text(encoding="utf-8"))
    assert [len(split[name]) for name in ("training", "validation", "test")] == [12, 4, 0]
    alone = run(1, "train", tmp_path / "nowhere", tmp_path / "alone", **TRAINING | listed)
    assert measured(tmp_path)["val_dice_foreground"] == pytest.approx(measured(alone)["val_dice_foreground"], rel=1e-4)


def test_five_cases_are_tested_by_two_processes_as_by_one(data: Path, alone: Path, tmp_path: Path) -> None:
    models = {"ckpt_dir": str(alone / "models")} | SMALL_NETWORK
    out = run(2, "multi_gpu_evaluate", data, tmp_path, figures=False, **models)
    for name in OF_TEST_SET:
        assert (out / name).read_bytes() == (alone / "eval" / name).read_bytes(), name
    assert json.loads((out / "summary.json").read_text(encoding="utf-8"))["num_cases"] == 5
    assert len(list((out / "slices").iterdir())) == 5


def launched(data: Path, out: Path) -> None:
    """What torchrun does with two processes, which are forked here: they have everything imported."""
    meeting = {"run_id": "one", "rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0"}
    config = LaunchConfig(1, 1, 2, **meeting, max_restarts=0, start_method="fork")
    options = TRAINING | {"epochs": 100}
    elastic_launch(config, start_quietly)(f"hippocampus_{METHOD}", "multi_gpu_train", data, out, options)


def test_no_process_is_left_when_one_dies(data: Path, tmp_path: Path) -> None:
    torchrun = processes().Process(target=launched, args=(data, tmp_path))
    torchrun.start()
    try:
        limit = time.monotonic() + 120
        while not (tmp_path / "history.csv").exists():
            assert torchrun.is_alive(), (tmp_path / "multi_gpu_train0.log").read_text(encoding="utf-8")
            assert time.monotonic() < limit
            time.sleep(0.05)
        workers = of_parent(torchrun.pid)
        assert len(workers) == 2
        os.kill(workers[1], signal.SIGKILL)
        torchrun.join(60)
        assert torchrun.exitcode == 1
    finally:
        torchrun.terminate()
        torchrun.join(60)
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


def of_parent(pid: int | None) -> list[int]:
    """The processes that a process started, in the order in which it did."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
