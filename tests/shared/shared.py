"""What all tests share: none depends on another; the authors' numbers; a small data set in the Decathlon's layout."""

from __future__ import annotations

import json
import locale
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from spared import leave_undrawn, let_torch_propagate, spare
from torch import nn

from calib_monai import locks
from calib_monai.datalists.hippocampus import write_hippocampus
from calib_monai.phantoms import make_phantoms
from calib_monai.read_once import forget

REFERENCE = Path(__file__).parents[1] / "reference"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Loggers, the folder, the hook, locks, the locale and torch's settings as they were, whatever a test changed."""
    torch.default_generator.manual_seed(0)  # alone: for other devices torch writes down who called, each time
    hook = sys.excepthook
    folder, threads, characters = Path.cwd(), torch.get_num_threads(), locale.setlocale(locale.LC_CTYPE)
    kept = {each: (list(each.handlers), each.level, each.propagate, each.disabled) for each in _loggers()}
    yield
    for each in _loggers():
        handlers, level, each.propagate, each.disabled = kept.get(each, ([], logging.NOTSET, True, False))
        each.handlers[:] = handlers
        _set_level(each, level)
    locale.setlocale(locale.LC_CTYPE, characters)  # ITK takes another one to write DICOM
    forget()
    for lock in locks.held.values():  # of runs that failed
        lock.release()
    locks.held.clear()
    os.chdir(folder)
    sys.excepthook = hook
    torch.set_num_threads(threads)


@pytest.fixture(scope="session", autouse=True)
def _spared() -> Iterator[None]:
    """Without what takes time and is seen by no test."""
    with pytest.MonkeyPatch.context() as patch:
        spare(patch)
        let_torch_propagate(patch)
        yield


def _loggers() -> list[logging.Logger]:
    """All loggers that there are."""
    named = logging.root.manager.loggerDict.values()
    return [logging.root, *(logger for logger in named if isinstance(logger, logging.Logger))]


def _set_level(logger: logging.Logger, level: int) -> None:
    """Set a level that is another: each time that one is set, Python empties the caches of all loggers."""
    if logger.level != level:
        logger.setLevel(level)


@pytest.fixture(scope="session")
def arrays() -> dict[str, np.ndarray]:
    """Inputs and outputs of the authors' code; tests/reference/golden.json says whose."""
    with np.load(REFERENCE / "golden.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="session")
def golden() -> dict[str, dict[str, Any]]:
    """What the authors' code was called with, and what it gave, by id."""
    entries = json.loads((REFERENCE / "golden.json").read_text(encoding="utf-8"))["entries"]
    return {entry["id"]: entry for entry in entries}


@pytest.fixture(scope="session")
def golden_volume(arrays: dict[str, np.ndarray]) -> Callable[[str], tuple[torch.Tensor, torch.Tensor]]:
    """Probabilities (1, C, H, W, D) and class indices (1, 1, H, W, D) of a golden volume, "V1" to "V3"."""

    def volume(name: str) -> tuple[torch.Tensor, torch.Tensor]:
        logits = torch.tensor(arrays[f"vol_logits_{name}"]).permute(1, 2, 3, 0)
        labels = torch.tensor(arrays[f"vol_labels_{name}"]).permute(1, 2, 0)
        return logits.softmax(dim=0).unsqueeze(0), labels[None, None]

    return volume


@pytest.fixture(scope="session")
def assert_golden(golden: dict[str, dict[str, Any]], arrays: dict[str, np.ndarray]) -> Callable[[str, nn.Module], None]:
    """A check that a loss has the value and the gradient that the authors' code gives."""

    def check(name: str, loss: nn.Module) -> None:
        entry = golden[name]
        logits = torch.tensor(arrays[entry["inputs"]["logits"]], requires_grad=True)
        value = loss(logits, torch.tensor(arrays[entry["inputs"]["labels"]]).unsqueeze(1))
        value.backward()
        assert value.item() == pytest.approx(entry["expected"]["loss"], rel=entry["rtol"], abs=entry["atol"])
        expected = torch.tensor(arrays[entry["expected"]["grad_npz_key"]])
        torch.testing.assert_close(logits.grad, expected, rtol=1e-5, atol=1e-8)

    return check


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without real pictures, for tests that read words and numbers."""
    leave_undrawn(monkeypatch)


@pytest.fixture(scope="session")
def written_phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight phantoms as a Decathlon folder, to be copied."""
    folder = tmp_path_factory.mktemp("phantoms")
    write_hippocampus(str(folder), make_phantoms(8, seed=3))
    return folder


@pytest.fixture
def phantom_dir(written_phantoms: Path, tmp_path: Path) -> Path:
    """Eight phantoms as a Decathlon folder, free to be broken."""
    return shutil.copytree(written_phantoms, tmp_path / "Task04_Hippocampus")
