"""One run of a bundle, with a record of its options beside its results: `python workflow/run_bundle.py --help`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from calib_monai.former_networks import CATALOGUE, CHOICE, CHOSEN, FACTORY, former_network
from calib_monai.whole_files import write_json

ROOT = Path(__file__).parents[1]
PACKAGES = ("torch", "monai", "numpy", "pytorch-ignite", "calib-monai")
BEGUN_WITH = "begun_with.json"  # the options of a training, until it has ended
ENDED_WITH = "ended_with.json"  # its record, from then on
BEFORE = "models_before"  # beside a training that has not ended: the one that it is to replace
STEPS = ("train", "calibrate", "evaluate")


def main() -> int:
    """The exit code of the run."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="All other options are the bundle's.", allow_abbrev=False
    )
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--bundle", required=True, help="its name, such as hippocampus_nacl")
    parser.add_argument("--record", required=True, type=Path, help="JSON file to write when the run has succeeded")
    parser.add_argument("--models", type=Path, help="folder of a training; one with the same options is continued")
    parser.add_argument("--volumes", action="store_true", help="train a network for volumes, by configs/volumes.json")
    given, asked = parser.parse_known_args()
    options = [*asked, *["--volumes", "True"] * given.volumes]  # as they are recorded and compared
    if given.models and (record := _taken_over(given.models, options) or _taken_back(given.models, options)):
        write_json(given.record, record)
        return 0
    begun = given.models is not None and _goes_on(given.models, options)
    resumed = begun and any(given.models.glob("checkpoint_epoch=*.pt"))  # a training has none in its first epoch
    started, clock = datetime.now(timezone.utc), time.monotonic()
    files = ["train", *[given.step] * (given.step != "train"), *["volumes"] * given.volumes]
    goes_on = [*["--resume", "True"] * resumed, *["--overwrite", "True"] * (begun and not resumed)]
    command = _command(given.bundle, files, [*asked, *goes_on])
    try:
        code = subprocess.run(command, check=False).returncode  # noqa: S603 - our own
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    if code == 0:
        record = {
            "bundle": given.bundle,
            "step": given.step,
            "options": _by_name(options),
            "started": started.isoformat(timespec="seconds"),
            "resumed": resumed,
            "seconds": round(time.monotonic() - clock, 1),
            **_surroundings(),
        }
        write_json(given.record, record)
        if given.models:
            write_json(given.models / ENDED_WITH, record)
            (given.models / BEGUN_WITH).unlink()  # it has ended: asked for again, it starts again
            shutil.rmtree(given.models.with_name(BEFORE), ignore_errors=True)
    return code


def _goes_on(models: Path, options: list[str]) -> bool:
    """Whether a training with these options was begun in a folder.

    An unfinished training with other options is removed. A finished one is kept beside until this training has ended.
    """
    before = models.with_name(BEFORE)
    if _begun(models) == _by_name(options):
        return True
    if (models / ENDED_WITH).is_file():
        shutil.rmtree(before, ignore_errors=True)
        models.rename(before)
    shutil.rmtree(models, ignore_errors=True)
    write_json(models / BEGUN_WITH, options)
    return False


def _taken_over(models: Path, options: list[str]) -> dict[str, Any] | None:
    """The record of a training that an earlier version finished with these options, as they are written now.

    Snakemake asks for such a training again because its options are written otherwise. It is asked for once: the
    record is kept in the present form.
    """
    record: dict[str, Any] | None = _read(models / ENDED_WITH)
    if not record or (models / BEGUN_WITH).is_file() or record["options"] == _by_name(options):
        return None
    if (now := _as_now(record["options"])) != _by_name(options):
        return None
    record["options"] = now
    write_json(models / ENDED_WITH, record)
    return record


def _taken_back(models: Path, options: list[str]) -> dict[str, Any] | None:
    """Restore a finished training with these options that another training was to replace; return its record.

    So a mistake costs no training: give the earlier options again before the other training has ended.
    """
    before = models.with_name(BEFORE)
    record: dict[str, Any] | None = _read(before / ENDED_WITH)
    asked = _by_name(options)
    if not record or _as_now(record["options"]) != asked or _begun(models) == asked:
        return None
    record["options"] = asked
    write_json(before / ENDED_WITH, record)
    shutil.rmtree(models, ignore_errors=True)
    before.rename(models)
    return record


def _read(path: Path) -> Any:
    """The content of a JSON file, None where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _begun(models: Path) -> dict[str, str] | None:
    """The options of the training that was begun in a folder, as they are written now; None where there is none."""
    options = _read(models / BEGUN_WITH)
    return None if options is None else _as_now(_by_name(options))


def _as_now(options: dict[str, str]) -> dict[str, str]:
    """Options as they are written now. Earlier versions chose a network by a reference: `@networks::unet`."""
    network = former_network(options.get(f"--{CHOICE}", ""))
    if not network:
        return options
    own = re.compile(rf"--{CATALOGUE}(?:::|#){network}(?:::|#)")
    now = {own.sub(f"--{CHOICE}#", name): value for name, value in options.items() if name != f"--{CHOICE}"}
    return now | {f"--{CHOSEN}": f"{FACTORY}{network}"}


def _by_name(options: list[str]) -> dict[str, str]:
    """Options by their names."""
    return dict(zip(options[::2], options[1::2], strict=True))


def _command(bundle: str, names: list[str], options: list[str]) -> list[str]:
    """The arguments of MONAI's call, with these configurations of a bundle."""
    configs = ROOT / "bundles" / bundle / "configs"
    files = [str(configs / f"{name}.json") for name in names]
    chosen = files[0] if len(files) == 1 else str(files)
    command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run", "--config_file", chosen]
    return [*command, "--bundle_root", str(configs.parent), *options]


def _surroundings() -> dict[str, object]:
    """Versions and hardware."""
    git = shutil.which("git")
    describe = [str(git), "-C", str(ROOT), "describe", "--always", "--dirty"]
    commit = subprocess.run(describe, capture_output=True, text=True, check=False).stdout if git else ""  # noqa: S603
    import torch  # noqa: PLC0415 - only now: during the run it would wait beside it in memory

    cuda = torch.cuda.is_available()
    return {
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "commit": commit.strip() or None,
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


if __name__ == "__main__":
    raise SystemExit(main())
