"""Tests that share fixtures run in one process, whatever their order, and leave out what none of them can see."""

from __future__ import annotations

import os

import pytest
from monai.bundle import ComponentLocator

FIND = ComponentLocator._find_classes_or_functions  # before there are fixtures


@pytest.mark.parametrize("number", range(8))
def test_a_file_runs_in_one_process(number: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    started = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        started = started.parent  # which the processes share
    (started / f"{os.getpid()}.process").write_text(str(number))
    assert len(list(started.glob("*.process"))) == 1


def test_no_test_waits_for_the_disk() -> None:
    os.fsync(-1)  # which is no file


def test_monais_components_are_found_as_they_are_without_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    locator = ComponentLocator()
    modules = locator._find_module_names()
    found = locator._find_classes_or_functions(modules)
    assert "Compose" in found
    monkeypatch.setattr(ComponentLocator, "_find_classes_or_functions", FIND)
    assert locator._find_classes_or_functions(modules) == found
