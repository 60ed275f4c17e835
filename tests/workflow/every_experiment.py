"""Run every experiment on phantoms for an epoch: `python tests/workflow/every_experiment.py FOLDER [EXPERIMENT ...]`.

It says how many jobs of each kind ran, and how long all of them took. This is too long for the suite. Each job is
started as the workflow starts it, but in a process that has imported MONAI already. `recipe` needs two seeds.
"""

from __future__ import annotations

import collections
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / folder) for folder in ("workflow", "bundles", "reliability", "shared", "../workflow")]

import yaml  # noqa: E402
from committed import REPOSITORY, trimmed, write_dataset  # noqa: E402
from served import served  # noqa: E402
from spared import fresh  # noqa: E402

from calib_monai.phantoms import make_phantoms  # noqa: E402

CASES = 16  # of which some experiments train on ten
METHODS = "[ce, soft_dice, nacl, crac, bwcr]"  # of the experiments that take any
SEEDS = {"recipe": "[0, 1]"}  # of those that need several
JOB = re.compile(r"^(?:local)?rule (\w+):$", re.MULTILINE)


def main() -> int:
    """Run all, and print the table; the exit code is 1 if a job fails."""
    folder, *asked = sys.argv[1:]
    out = Path(folder).resolve()
    known = yaml.safe_load((REPOSITORY / "workflow" / "experiments.yaml").read_text(encoding="utf-8"))
    names = asked or list(known)
    write_dataset("hippocampus", out / "phantoms" / "phantoms", trimmed(make_phantoms(CASES, seed=5), 14, 17))
    jobs: collections.Counter[str] = collections.Counter()
    begun, codes = time.monotonic(), []
    with tempfile.TemporaryDirectory() as socket, served(Path(socket)):
        for seeds, some in {
            "[0]": [name for name in names if name not in SEEDS],
            "[0, 1]": [name for name in names if name in SEEDS],
        }.items():
            if not some:
                continue
            config = {
                "out": out,
                "experiments": f"[{', '.join(some)}]",
                "methods": METHODS,
                "seeds": seeds,
                "epochs": 1,
            }
            line = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "workflow" / "Snakefile"), "-c2"]
            line += [
                "--keep-going",
                "--directory",
                str(out),
                "--config",
                *(f"{key}={one}" for key, one in config.items()),
            ]
            done = subprocess.run(line, check=False, capture_output=True, text=True, env=fresh())  # noqa: S603
            jobs.update(JOB.findall(done.stdout + done.stderr))
            codes.append(done.returncode)
            if done.returncode:
                sys.stderr.write(done.stderr[-3000:])
    seconds = time.monotonic() - begun
    tables = sorted(path.parent.name for path in out.glob("phantoms/tables/*/results.json"))
    kinds = ", ".join(f"{count} {name}" for name, count in jobs.items())
    sys.stdout.write(f"{len(tables)} of {len(names)} experiments: {', '.join(tables)}\n")
    sys.stdout.write(f"{sum(jobs.values())} jobs in {seconds / 60:.1f} minutes: {kinds}\n")
    return int(any(codes) or len(tables) < len(names))


if __name__ == "__main__":
    raise SystemExit(main())
