"""Tables are made in many tests; `test_figures.py` draws what `calib_monai.experiments.figures` adds to each."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture is drawn."""
    monkeypatch.setattr("calib_monai.experiments.figures.drawn", lambda *_: b"png")
