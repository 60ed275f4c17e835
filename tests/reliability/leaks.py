"""What a long training keeps: `python tests/reliability/leaks.py` prints memory and open files on its way."""

from __future__ import annotations

import argparse
import logging
import os
import resource
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from ignite.engine import Engine, Events

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "bundles")]

from committed import COLLECTION, trimmed, write_dataset  # noqa: E402 - once the path is set
from monai.bundle import ConfigWorkflow  # noqa: E402

from calib_monai.phantoms import make_phantoms  # noqa: E402


def told(engine: Engine) -> None:
    """Print what the process has at the end of an epoch."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = len(list(Path("/proc/self/fd").iterdir()))
    print(f"epoch {engine.state.epoch:5}: {pages * resource.getpagesize() / 2**20:7.1f} MiB, {files} files", flush=True)  # noqa: T201


def main() -> None:
    """Train on phantoms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--method", default="crac")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as name:
        os.chdir(name)
        write_dataset("hippocampus", Path(name) / "data", trimmed(make_phantoms(6, seed=5), 14, 18))
        root = COLLECTION / f"hippocampus_{options.method}"
        workflow = ConfigWorkflow(
            config_file=str(root / "configs" / "train.json"),
            workflow_type="train",
            bundle_root=str(root),
            dataset_dir=str(Path(name) / "data"),
            ckpt_dir=name,
            output_dir=name,
            epochs=options.epochs,
            batch_size=8,
        )
        workflow.initialize()
        logging.disable()
        trainer = workflow.parser.get_parsed_content("train#trainer")
        trainer.add_event_handler(Events.EPOCH_COMPLETED(every=max(1, options.epochs // 20)), told)
        workflow.run()


if __name__ == "__main__":
    main()
