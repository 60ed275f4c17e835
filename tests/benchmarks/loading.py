"""Share of an epoch that loading takes: `python tests/benchmarks/loading.py DATA [--epochs 2]`.

Trains `hippocampus_nacl` under Ignite's own profiler, which separates the time spent waiting for
batches from the time spent on them. What is done once, before the first epoch, is timed beside it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from ignite.handlers import BasicTimeProfiler
from monai.bundle import ConfigWorkflow

BUNDLE = Path(__file__).parents[2] / "bundles" / "hippocampus_nacl"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="folder of the data set")
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as out:
        workflow = ConfigWorkflow(
            config_file=str(BUNDLE / "configs" / "train.json"),
            bundle_root=str(BUNDLE),
            dataset_dir=options.data,
            ckpt_dir=out,
            output_dir=out,
            epochs=options.epochs,
        )
        start = time.perf_counter()
        workflow.initialize()
        checked = time.perf_counter()
        trainer = workflow.parser.get_parsed_content("train::trainer")
        prepared = time.perf_counter()
        profiler = BasicTimeProfiler()
        profiler.attach(trainer)
        trainer.run()
    times = profiler.get_results()
    batches = times["dataflow_stats"]["total"]
    work = times["processing_stats"]["total"]
    handlers = times["event_handlers_stats"]["total_time"]
    epoch = (batches + work + handlers) / options.epochs
    rows = {
        "once: checking every file": checked - start,
        "once: preparing and caching": prepared - checked,
        "an epoch": epoch,
        "  waiting for batches": batches / options.epochs,
        "  forward, backward, step": work / options.epochs,
        "  validation, checkpoints": handlers / options.epochs,
    }
    for name, seconds in rows.items():
        print(f"{name:<32} {seconds:8.2f} s {100 * seconds / epoch:7.2f} % of an epoch")  # noqa: T201 - a script


if __name__ == "__main__":
    main()
