"""One run of a bundle, and beside its results what it was run with: `python workflow/run_bundle.py --help`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
PACKAGES = ("torch", "monai", "numpy", "pytorch-ignite", "calib-monai")
STEPS = ("train", "calibrate", "evaluate")


def main() -> int:
    """The exit code of the run."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="All other options are the bundle's.", allow_abbrev=False
    )
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--bundle", required=True, help="its name, such as hippocampus_nacl")
    parser.add_argument("--record", required=True, type=Path, help="JSON file to write when the run has succeeded")
    parser.add_argument("--fresh", type=Path, help="folder of an earlier, unfinished run, which is removed before")
    given, options = parser.parse_known_args()
    if given.fresh:
        shutil.rmtree(given.fresh, ignore_errors=True)
    started, clock = datetime.now(UTC), time.monotonic()
    code = subprocess.run(_command(given.step, given.bundle, options), check=False).returncode  # noqa: S603 - our own command
    if code == 0:
        record = {
            "bundle": given.bundle,
            "step": given.step,
            "options": dict(zip(options[::2], options[1::2], strict=True)),
            "started": started.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - clock, 1),
            **_surroundings(),
        }
        _write(given.record, record)
    return code


def _command(step: str, bundle: str, options: list[str]) -> list[str]:
    """What MONAI is called with."""
    configs = ROOT / "bundles" / bundle / "configs"
    files = [str(configs / f"{name}.json") for name in dict.fromkeys(("train", step))]
    chosen = files[0] if len(files) == 1 else str(files)
    command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run", "--config_file", chosen]
    return [*command, "--bundle_root", str(configs.parent), *options]


def _surroundings() -> dict[str, object]:
    """Versions and hardware."""
    describe = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    git = subprocess.run(describe, capture_output=True, text=True, check=False)  # noqa: S603
    cuda = torch.cuda.is_available()
    return {
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "commit": git.stdout.strip() or None,
        "hardware": {
            "machine": platform.machine(),
            "device": torch.cuda.get_device_name() if cuda else _processor(),
            "threads": int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)),
        },
    }


def _processor() -> str:
    """The name of the processor."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _write(path: Path, content: dict[str, object]) -> None:
    """Write a JSON file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".json.part")
    unfinished.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(path)


if __name__ == "__main__":
    raise SystemExit(main())
