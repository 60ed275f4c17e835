"""The workflow: killed in the middle and started again, it does what is missing and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from committed import REPOSITORY

PATIENCE = 240  # seconds


def command(out: Path, *options: str, method: str = "nacl") -> list[str]:
    """Snakemake's command line for one training of six phantoms, with a working directory of its own."""
    values = [f"out={out}", f"methods=[{method}]", "seeds=[0]", "epochs=1", "num_phantoms=6"]
    start = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "workflow" / "Snakefile"), "-c2"]
    return [*start, "--directory", str(out), *options, "--config", *values]


def test_a_killed_benchmark_goes_on_where_it_was(tmp_path: Path) -> None:
    run = tmp_path / "hippocampus" / "unet" / "nacl" / "seed0_fold0"
    with subprocess.Popen(command(tmp_path), start_new_session=True, stderr=subprocess.PIPE) as process:  # noqa: S603
        deadline = time.monotonic() + PATIENCE
        while not (run / "eval.log").is_file() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    trained = (run / "train.json").stat().st_mtime_ns
    assert not (tmp_path / "hippocampus" / "tables" / "main" / "results.json").exists()

    subprocess.run(command(tmp_path, "--unlock"), check=True, capture_output=True)  # noqa: S603
    done = subprocess.run(command(tmp_path), check=False, capture_output=True, text=True, timeout=PATIENCE)  # noqa: S603
    assert done.returncode == 0, done.stderr[-2000:]
    assert (run / "train.json").stat().st_mtime_ns == trained
    found = json.loads((tmp_path / "hippocampus" / "tables" / "main" / "results.json").read_text())
    assert found["rows"]["nacl"]["options"]["--epochs"] == "1"
    assert found["seeds"] == [0]
    record = json.loads((run / "train.json").read_text())
    assert record["seconds"] > 0
    assert record["versions"]["monai"]

    assert not (run / "models" / "begun_with.json").exists()  # asked for again, it would start again
    nothing = subprocess.run(command(tmp_path, "-n"), check=True, capture_output=True, text=True)  # noqa: S603
    assert "Nothing to be done" in nothing.stdout + nothing.stderr


def test_a_configuration_that_cannot_be_ends_in_one_line(tmp_path: Path) -> None:
    done = subprocess.run(command(tmp_path, "-n", method="nalc"), check=False, capture_output=True, text=True)  # noqa: S603
    assert done.returncode != 0
    assert "methods has 'nalc'; it must be a list of bwcr, ce, " in done.stdout + done.stderr
