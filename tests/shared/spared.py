"""What takes time in every test and is seen in none: files are synced, and the same components are looked for again."""

from __future__ import annotations

import inspect
import logging
import os
import pydoc
import sys
from collections.abc import Callable
from functools import lru_cache, reduce
from pathlib import Path

import monai.utils.module
import numpy as np
import pytest
from monai.bundle import ComponentLocator

from calib_monai import phantoms, targets
from calib_monai.phantoms import Phantom


def leave_undrawn(patch: pytest.MonkeyPatch) -> None:
    """Let pages have no real pictures until the patch is undone: drawing is most of the time of a page."""
    patch.setattr("calib_monai.reports.report.drawn", lambda *_: b"png")


def spare(patch: pytest.MonkeyPatch) -> None:
    """Leave it out until the patch is undone.

    Only a failure of power tells a file that is synced from one that is not. Each of MONAI's parsers goes through all
    modules of MONAI, half a second long, and looks for a file of each component's name. Fire asks for the frame that
    called it, and gets the lines of all sources, for which Python goes through all modules. A key that a configuration
    does not have is compared with all that it has. A phantom is made anew for each test.
    """
    patch.setattr(os, "fsync", lambda _: None)
    patch.setattr(inspect, "stack", _stack)
    find = lru_cache(ComponentLocator._find_classes_or_functions)  # of which each instance finds the same
    patch.setattr(ComponentLocator, "_find_classes_or_functions", lambda _, names: find(None, tuple(names)))
    distance = monai.utils.module.damerau_levenshtein_distance
    patch.setattr(monai.utils.module, "damerau_levenshtein_distance", lru_cache(maxsize=None)(distance))
    for module in (monai.utils.module, targets):
        patch.setattr(module, "locate", _locate)
    patch.setattr(phantoms, "make_phantom", _keeping(phantoms.make_phantom))


def _stack(_: int = 1) -> list[inspect.FrameInfo]:
    """`inspect.stack` without the lines of the sources."""
    frames: list[inspect.FrameInfo] = []
    frame = sys._getframe(1)
    while frame:
        frames.append(
            inspect.FrameInfo(frame, frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name, None, None)
        )
        frame = frame.f_back
    return frames


def _locate(path: str) -> object:
    """`pydoc.locate`, which looks for a file first, of what is in a module that is imported already."""
    parts = path.split(".")
    for number in range(len(parts), 0, -1):
        if module := sys.modules.get(".".join(parts[:number])):
            found = reduce(lambda each, name: getattr(each, name, None), parts[number:], module)
            return pydoc.locate(path) if found is None else found
    return pydoc.locate(path)


def _keeping(make: Callable[[np.random.Generator, int], Phantom]) -> Callable[..., Phantom]:
    """What makes phantoms, and gives a copy of one that it made before."""
    made: dict[str, Phantom] = {}

    def kept(rng: np.random.Generator, num_classes: int = 3) -> Phantom:
        key = f"{rng.bit_generator.state} {num_classes} {phantoms.WANDER}"
        if key not in made:
            made[key] = make(rng, num_classes)
        return Phantom(*(array.copy() for array in made[key]))

    return kept


def let_torch_propagate(patch: pytest.MonkeyPatch) -> None:
    """Let torch's loggers hand on, until the patch is undone.

    For each test pytest gives its handlers to each logger that does not, and takes them away again.
    """
    for name, logger in logging.root.manager.loggerDict.items():
        if name.startswith("torch") and isinstance(logger, logging.Logger):
            patch.setattr(logger, "propagate", True)


def fresh() -> dict[str, str]:
    """The environment of a Python that a test starts, which runs `fresh/sitecustomize.py` first."""
    before = os.environ.get("PYTHONPATH")
    folders = [str(Path(__file__).with_name("fresh")), *([before] if before else [])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(folders)}
