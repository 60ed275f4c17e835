"""What it is worth that a training keeps freed memory: `python tests/benchmarks/kept_memory.py DATA [--epochs 2]`.

Trains `hippocampus_dice_ce` on slices and on volumes, with `calib_monai.memory.keep_freed` and without it in turn, and
prints for each the processor's seconds of the training, the system's share of them, and the peak of the memory.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

BUNDLE = Path(__file__).parents[2] / "bundles" / "hippocampus_dice_ce"
TRAIN = """
import os, resource, sys
from monai.bundle import ConfigWorkflow
import calib_monai.engines
keeps, data, out, epochs, *files = sys.argv[1:]
if keeps == "without":
    calib_monai.engines.keep_freed = lambda: None
workflow = ConfigWorkflow(
    config_file=files, bundle_root=os.path.dirname(os.path.dirname(files[0])), dataset_dir=data,
    ckpt_dir=out + "/models", output_dir=out, epochs=int(epochs), val_interval=int(epochs),
)
workflow.initialize()
trainer = workflow.parser.get_parsed_content("train::trainer")
before = resource.getrusage(resource.RUSAGE_SELF)
trainer.run()
after = resource.getrusage(resource.RUSAGE_SELF)
print(after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime, after.ru_maxrss / 2**20, file=sys.stderr)
"""
KINDS = {"slices": ("train",), "volumes": ("train", "volumes")}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="folder of the data set")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    for kind, names in KINDS.items():
        files = [str(BUNDLE / "configs" / f"{name}.json") for name in names]
        found: dict[str, list[list[float]]] = {"without": [], "with": []}
        for _ in range(options.repeats):
            for keeps, runs in found.items():
                with tempfile.TemporaryDirectory() as out:
                    given = [keeps, options.data, out, str(options.epochs), *files]
                    words = [sys.executable, "-W", "ignore", "-c", TRAIN, *given]
                    ended = subprocess.run(words, check=True, capture_output=True, text=True)  # noqa: S603 - our own
                runs.append([float(value) for value in ended.stderr.split("\n")[-2].split()])
        ratios = [sum(one[:2]) / sum(other[:2]) for one, other in zip(found["with"], found["without"], strict=True)]
        for keeps, runs in found.items():
            user, system, peak = (median(column) for column in zip(*runs, strict=True))
            told = f"{user + system:7.1f} s, {100 * system / (user + system):4.1f} % of the system, peak {peak:.2f} GiB"
            print(f"{kind:<8} {keeps:<8} {told}")  # noqa: T201 - a script
        print(f"{kind:<8} ratio of the seconds, with to without: {', '.join(f'{one:.2f}' for one in ratios)}")  # noqa: T201


if __name__ == "__main__":
    main()
