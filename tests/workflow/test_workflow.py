"""The workflow: killed in the middle and started again, it does what is missing and nothing else."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from committed import REPOSITORY, start, trimmed, write_dataset
from plan import Plan
from served import served
from spared import fresh

from calib_monai.experiments.__main__ import main as tables
from calib_monai.phantoms import make_phantoms

PATIENCE = 600  # seconds, on a busy machine


def command(out: Path, *flags: str, **config: object) -> list[str]:
    """Snakemake's command line for one training of six phantoms, with a working directory of its own."""
    chosen = {"out": out, "methods": "[nacl]", "seeds": "[0]", "epochs": 1, "num_phantoms": 6} | config
    start = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "workflow" / "Snakefile"), "-c2"]
    return [*start, "--directory", str(out), *flags, "--config", *(f"{name}={value}" for name, value in chosen.items())]


def said(out: Path, *flags: str, code: int = 0, **config: object) -> str:
    """What such a run says, held to its exit code."""
    line = command(out, *flags, **config)
    done = subprocess.run(line, check=False, capture_output=True, text=True, timeout=PATIENCE, env=fresh())  # noqa: S603
    assert done.returncode == code, done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.fixture
def _at_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a workflow starts has MONAI already."""
    with served(tmp_path_factory.mktemp("at")):
        yield


@pytest.mark.usefixtures("_at_once")
def test_a_killed_benchmark_goes_on_where_it_was(tmp_path: Path) -> None:
    run = tmp_path / "phantoms" / "unet" / "nacl" / "seed0_fold0"
    with subprocess.Popen(command(tmp_path), start_new_session=True, stderr=subprocess.PIPE, env=fresh()) as process:  # noqa: S603
        deadline = time.monotonic() + PATIENCE
        while not (run / "eval.log").is_file() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    trained = (run / "train.json").stat().st_mtime_ns
    assert not (tmp_path / "phantoms" / "tables" / "main" / "results.json").exists()

    said(tmp_path, "--unlock")
    assert f"{tmp_path}/phantoms/tables/main/report.html" in said(tmp_path)
    assert (run / "train.json").stat().st_mtime_ns == trained
    found = json.loads((tmp_path / "phantoms" / "tables" / "main" / "results.json").read_text())
    assert found["rows"]["nacl"]["options"]["--epochs"] == "1"
    assert found["seeds"] == [0]
    assert found["conditions"]["data"] == ["phantoms"]
    record = json.loads((run / "train.json").read_text())
    assert record["seconds"] > 0
    assert record["versions"]["monai"]

    assert not (run / "models" / "begun_with.json").exists()  # asked for again, it would start again
    assert "Nothing to be done" in said(tmp_path, "-n")
    assert re.search(r"^train +1$", said(tmp_path, "-n", epochs=2), re.MULTILINE)
    (run / "train.json").unlink()  # as Snakemake leaves it of a training that was killed, whose tables are still there
    assert re.search(r"^train +1$", said(tmp_path, "-n"), re.MULTILINE)


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("said", [b"", b'[["calib', b'[["calib_monai.versions"], "/", "/dev/null"]\n'])
def test_a_process_that_is_killed_before_it_is_answered_ends_no_thread_by_an_exception(said: bytes) -> None:
    before = set(threading.enumerate())
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(os.environ["SERVED_AT"])
        asking.sendall(said)
    deadline = time.monotonic() + 60
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)  # an exception of a thread fails a test
    assert not set(threading.enumerate()) - before


def test_a_configuration_that_cannot_be_ends_in_one_line(tmp_path: Path) -> None:
    assert "methods has 'nalc'; it must be a list of ace, bwcr, ce, " in said(tmp_path, "-n", methods="[nalc]", code=1)


@pytest.mark.usefixtures("undrawn")
def test_an_experiment_measures_data_of_others_beside_its_own(tmp_path: Path) -> None:
    write_dataset("hippocampus", tmp_path / "other", trimmed(make_phantoms(2, seed=9), 12, 20))
    config = yaml.safe_load((REPOSITORY / "workflow" / "config.yaml").read_text(encoding="utf-8"))
    config |= {"methods": ["nacl"], "seeds": [0], "epochs": 1, "out": str(tmp_path)}
    config["elsewhere"] = {"vendor_a": {"test_dir": str(tmp_path / "other")}}
    plan = Plan(config, {"main": {"title": "All methods", "elsewhere": True}})
    [training], data = plan.trainings("main"), Path(plan.dataset_dir)
    write_dataset("hippocampus", data, trimmed(make_phantoms(6, seed=5), 12, 20))
    steps = {"train": plan.training_options(training.folder)}
    steps |= {name: plan.evaluation_options(training.folder, name) for name in plan.evaluations("main")}
    for step, listed in steps.items():
        texts = dict(zip(listed[::2], listed[1::2], strict=True))
        options = {name.removeprefix("--"): yaml.safe_load(value) for name, value in texts.items()}
        start(
            "hippocampus_nacl", "train" if step == "train" else "evaluate", options.pop("dataset_dir"), data, **options
        )
        record = {"options": texts, "seconds": 1, "started": "2026-11-23T05:45:32+00:00", "versions": {}}
        file = Path(options["output_dir"]) / ("train.json" if step == "train" else "evaluate.json")
        file.write_text(json.dumps(record | {"hardware": {}, "commit": None}))
    assert tables([*plan.results("main"), "--out", str(tmp_path), *plan.table_options("main")]) == 0
    found = json.loads((tmp_path / "results.json").read_text())
    assert (found["num_cases"], found["elsewhere"]["on_vendor_a"]["num_cases"]) == (1, 2)
    assert "Inside and outside" in (tmp_path / "results.md").read_text()
