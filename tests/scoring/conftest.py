"""Fixtures: an evaluation of a bundle with the probabilities that its inference saved, and files of other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from committed import start, trimmed, write_dataset
from saved_probs import Evaluated, Folders, prepared

from calib_monai.phantoms import make_phantoms


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """A network after two epochs, evaluated on its test cases, with its probabilities of these."""
    folder = tmp_path_factory.mktemp("evaluated")
    data, out = folder / "data", folder / "run"
    write_dataset("hippocampus", data, trimmed(make_phantoms(12, seed=5), 14, 18))
    for config, options in (("train", {"epochs": 2, "batch_size": 4}), ("evaluate", {"figures": False})):
        start("hippocampus_ce", config, data, out, **options)
    start("hippocampus_ce", "inference", data, out, outputs=["label", "probs"])
    return Evaluated(out, out / "predictions", data / "labelsTr")


@pytest.fixture
def folders(tmp_path: Path) -> Callable[..., Folders]:
    """Makes folders with the labels of two cases, and nothing in that of probabilities."""

    def make(size: tuple[int, ...] = (8, 9, 10), classes: int = 3) -> Folders:
        return prepared(tmp_path, size, classes)

    return make
