"""Fixtures: a bundle free to be broken, and what an export of it says."""

from __future__ import annotations

import runpy
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from committed import COLLECTION, REPOSITORY

from calib_monai.refusals import tell_in_one_line


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle free to be broken."""
    source = COLLECTION / "hippocampus_nacl"
    return shutil.copytree(source, tmp_path / source.name, ignore=shutil.ignore_patterns("models", "eval"))


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What an export says that leaves no file behind."""
    export = runpy.run_path(str(REPOSITORY / "scripts" / "export_bundle.py"))["main"]

    def export_refused(*arguments: object) -> str:
        out = tmp_path / "out"
        with pytest.raises(ValueError, match=r".") as stop:
            export([*map(str, arguments), "--out", str(out)])
        assert not list(out.glob("*"))
        tell_in_one_line()
        sys.excepthook(stop.type, stop.value, stop.tb)
        [line] = capsys.readouterr().err.splitlines()
        return line

    return export_refused
