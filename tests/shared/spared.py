"""What takes time in every test and is seen in none: files are synced, and the same components are looked for again."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from monai.bundle import ComponentLocator

from calib_monai import former_options, overrides, targets
from calib_monai.handlers import training_checks


def leave_undrawn(patch: pytest.MonkeyPatch) -> None:
    """Let pages have no real pictures until the patch is undone: drawing is most of the time of a page."""
    patch.setattr("calib_monai.reports.report.drawn", lambda *_: b"png")


def spare(patch: pytest.MonkeyPatch) -> None:
    """Leave it out until the patch is undone.

    Only a failure of power tells a file that is synced from one that is not. Each of MONAI's parsers goes through all
    modules of MONAI, half a second long. Fire needs the calls that led to it in each run, and not the lines of their
    sources, for which Python goes through all modules.
    """
    patch.setattr(os, "fsync", lambda _: None)
    patch.setattr(inspect, "stack", partial(inspect.stack, 0))
    find, known = ComponentLocator._find_classes_or_functions, {}

    def found(self: ComponentLocator, modnames: Sequence[str]) -> dict[str, list[str]]:
        table: dict[str, list[str]] = {}
        for module in modnames:
            if module not in known:
                known[module] = find(self, module)
            for name, modules in known[module].items():
                table.setdefault(name, []).extend(modules)
        return table

    patch.setattr(ComponentLocator, "_find_classes_or_functions", found)
    locate, there = targets.located, {}

    def located(target: str) -> Callable[..., Any] | None:
        if target not in there and (component := locate(target)) is not None:
            there[target] = component
        return there.get(target)

    for module in (targets, former_options, overrides, training_checks):
        patch.setattr(module, "located", located)


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
