"""The committed bundles: their folders and files, and phantoms in the layouts of their data sets."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
import torch.multiprocessing
from monai.bundle import run

from calib_monai.datalists.files import Volumes
from calib_monai.handlers.collection import OF_VALIDATION
from calib_monai.overrides import COLLECTION as COLLECTION_OF_METRICS
from calib_monai.phantoms import Phantom, make_phantoms
from calib_monai.refusals import refusal_of

REPOSITORY = Path(__file__).parents[2]
SCHEMA = REPOSITORY.parent / "shared" / "reference" / "meta_schema_20240725.json"  # of the zoo
COLLECTION = REPOSITORY / "bundles"
BUNDLES = sorted(COLLECTION.glob("*/"))
# Each data set and each method once. A bundle is its data set's part and its method's: tests/bundles/test_runs.py
SOME_BUNDLES = [path for path in BUNDLES if path.name.startswith("hippocampus_") or path.name.endswith("_nacl")]
if "ALL_BUNDLES" in os.environ:
    SOME_BUNDLES = BUNDLES
FILES = {
    "train": ("train",),
    "calibrate": ("train", "calibrate"),
    "evaluate": ("train", "evaluate"),
    "inference": ("inference",),
    "multi_gpu_train": ("train", "multi_gpu_train"),
    "multi_gpu_evaluate": ("train", "evaluate", "multi_gpu_evaluate"),
}  # of each run, one laid over the other
VOLUMES = {f"{name}_volumes": (*FILES[name], "volumes") for name in ("train", "calibrate", "evaluate", "inference")}
DATASETS = sorted(path.stem for path in (REPOSITORY / "scripts" / "parts" / "datasets").glob("*.json"))
CHECKPOINT = {"settings", "model", "optimizer", "lr_scheduler", "scaler", "loss", "data", "validation", "history"}
CHECKPOINT |= {"trainer"}  # the parts of one, whatever the method
SMALL_NETWORK = {"network_def#channels": [4, 8, 8], "network_def#strides": [1, 2]}  # where the network is of no matter

OF_SOME_RUNS = {"conformal", "pairwise_dice"}  # metrics of calibrated models, and of ensembles


def config_of(bundle: str | Path, name: str) -> dict[str, Any]:
    """What `configs/NAME.json` of a bundle holds; one of the collection is given by its name or its folder."""
    return json.loads((COLLECTION / bundle / "configs" / f"{name}.json").read_text(encoding="utf-8"))


def metrics_of(validate: dict[str, Any]) -> set[str]:
    """Names of what any run of an evaluator measures, as it is configured; those of a collection one by one."""
    handlers = validate["key_metric"] | validate["additional_metrics"]
    handlers = {name: handler for name, handler in handlers.items() if name not in OF_SOME_RUNS}
    defaults = {
        name: OF_VALIDATION if handler["_target_"] == COLLECTION_OF_METRICS else [name]
        for name, handler in handlers.items()
    }
    return {metric for name, handler in handlers.items() for metric in handler.get("metrics", defaults[name])}


def write_dataset(dataset: str, folder: Path, cases: Volumes) -> None:
    """Write phantoms as the folder of a data set."""
    getattr(import_module(f"calib_monai.datalists.{dataset}"), f"write_{dataset}")(str(folder), cases)


def start(bundle: str, config: str, data: Path, out: Path, **options: Any) -> None:
    """`python -m monai.bundle run` in this process, with what it writes in `out`."""
    root = COLLECTION / bundle
    run(
        config_file=[str(root / "configs" / f"{name}.json") for name in (FILES | VOLUMES)[config]],
        bundle_root=str(root),
        dataset_dir=str(data),
        **{"ckpt_dir": str(out / "models"), "output_dir": str(out)} | options,
    )


@contextmanager
def refused(said: str) -> Iterator[None]:
    """What is run inside raises an error that comes from a refusal with these words, a regular expression."""
    with pytest.raises((RuntimeError, ValueError)) as error:
        yield
    refusal = refusal_of(error.value)
    assert refusal, error.value
    assert re.search(said, str(refusal)), refusal


def start_quietly(bundle: str, config: str, data: Path, out: Path, options: dict[str, Any]) -> None:
    """`start` in a process of its own, in the folder of its output and with its words in a file there."""
    os.chdir(out)
    log = os.open(f"{config}{os.environ.get('RANK', '')}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    torch.set_num_threads(1)
    start(bundle, config, data, out, **options)


def trimmed(cases: Volumes, first: int, last: int) -> Volumes:
    """Phantoms of the slices from first to before last alone, which train faster."""
    return {case: Phantom(image[..., first:last], label[..., first:last]) for case, (image, label) in cases.items()}


def phantoms_of(tmp_path_factory: pytest.TempPathFactory, first: int, last: int) -> Callable[[str], Path]:
    """For a data set, by its name, a folder of six phantoms of these slices in the layout of its release, made once."""

    @cache
    def folder_of(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        num_classes = config_of(f"{name}_ce", "train")["num_classes"]
        write_dataset(name, folder, trimmed(make_phantoms(6, seed=5, num_classes=num_classes), first, last))
        return folder

    return folder_of


def processes() -> ForkServerContext:
    """What starts processes that have everything imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["uncollected", "preloaded"])
    with patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):  # without which it finds no module of the tests
        forkserver.ensure_running()
    return context


def in_two_processes(function: Callable[..., None], *arguments: object) -> None:
    """Call `function(rank, *arguments)` in two processes of `processes()`; what one raises is raised."""
    processes()
    torch.multiprocessing.start_processes(function, args=arguments, nprocs=2, start_method="forkserver")


def same_bits(first: Any, second: Any) -> bool:
    """Whether what two checkpoints hold is the same to the bit."""
    if isinstance(first, torch.Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same_bits(first[name], second[name]) for name in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same_bits, first, second))
    return bool(first == second)
