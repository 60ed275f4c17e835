"""The committed bundles: their folders and files, and phantoms in the layouts of their data sets."""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from monai.bundle import run

from calib_monai.datalists.files import Volumes

REPOSITORY = Path(__file__).parents[2]
COLLECTION = REPOSITORY / "bundles"
BUNDLES = sorted(COLLECTION.glob("*/"))
FILES = {
    "train": ("train",),
    "calibrate": ("train", "calibrate"),
    "evaluate": ("train", "evaluate"),
    "inference": ("inference",),
}  # of each run, one laid over the other
DATASETS = sorted(path.stem for path in (REPOSITORY / "scripts" / "parts" / "datasets").glob("*.json"))


@cache
def config_of(bundle: str | Path, name: str) -> dict[str, Any]:
    """What `configs/NAME.json` of a bundle holds; one of the collection is given by its name or its folder."""
    return json.loads((COLLECTION / bundle / "configs" / f"{name}.json").read_text(encoding="utf-8"))


def write_dataset(dataset: str, folder: Path, cases: Volumes) -> None:
    """Write phantoms as the folder of a data set."""
    getattr(import_module(f"calib_monai.datalists.{dataset}"), f"write_{dataset}")(str(folder), cases)


def start(bundle: str, config: str, data: Path, out: Path, **options: Any) -> None:
    """`python -m monai.bundle run` in this process, with what it writes in `out`."""
    root = COLLECTION / bundle
    run(
        config_file=[str(root / "configs" / f"{name}.json") for name in FILES[config]],
        bundle_root=str(root),
        dataset_dir=str(data),
        **{"ckpt_dir": str(out / "models"), "output_dir": str(out)} | options,
    )
