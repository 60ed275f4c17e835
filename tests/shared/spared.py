"""What takes time in every test and is seen in none: files are not synced, and MONAI looks for its components once."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from monai.bundle import ComponentLocator


def leave_undrawn(patch: pytest.MonkeyPatch) -> None:
    """Let pages have no real pictures until the patch is undone: drawing is most of the time of a page."""
    patch.setattr("calib_monai.reports.report.png_of", lambda _: b"png")


def spare(patch: pytest.MonkeyPatch) -> None:
    """Leave it out until the patch is undone.

    Only a failure of power tells a file that is synced from one that is not. Each of MONAI's parsers goes through all
    modules of MONAI, half a second long.
    """
    patch.setattr(os, "fsync", lambda _: None)
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
