"""A score that fits a temperature to saved probabilities, and the command that applies it, in a test's folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from saved_probs import Folders

from calib_monai.apply import main
from calib_monai.score import main as score

FIT = ("--calibrate", "ts", "--fit", "case_0", "case_1")


def values_of(path: Path) -> np.ndarray[Any, Any]:
    """What a file holds."""
    if path.name.endswith(".nii.gz"):
        return np.asarray(nibabel.load(path).dataobj)
    loaded = np.load(path)
    return loaded if path.name.endswith(".npy") else loaded[loaded.files[0]]


def applied(given: Folders, *more: str, **others: Path) -> int:
    """The exit code of the command, for the folder of the score and its own probabilities if no others are given."""
    folder = given.probs.parent
    folders = {"fitted": folder / "out", "probs": given.probs, "out": folder / "applied"} | others
    return main([*more, *(word for name, path in folders.items() for word in (f"--{name}", str(path)))])


def scored(given: Folders, *more: str) -> Path:
    """The folder of a score that has fitted a temperature."""
    assert score([*given.line(*more), *FIT]) == 0
    return given.probs.parent / "out"
