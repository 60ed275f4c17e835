"""How tests are given to processes. What they share is in `shared/shared.py`."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.doctest import DoctestModule
from xdist.scheduler import LoadScopeScheduling

FORKED = {
    *("test_command_line", "test_commands", "test_killed", "test_loaders", "test_locks", "test_many_processes"),
    *("handlers/test_conformal", "test_processes", "test_savers", "test_workflow", "test_wrong"),
}  # files that start processes by a server, which imports everything first: they share one


class InGroups(LoadScopeScheduling):
    """Gives the tests of a file, or of one bundle where a file trains many, to one process: they share fixtures."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """The group of a test: its file, or "forked", and in `test_runs` the bundle of its parameter."""
    file, _, test = nodeid.partition("::")
    if _is_forked(Path(file)):
        return "forked"
    return f"{file}[{test.partition('[')[2]}" if Path(file).stem == "test_runs" else file


def _is_forked(path: Path) -> bool:
    """Whether a file is one of `FORKED`, by its name or by its folder and name."""
    return bool(FORKED & {path.stem, f"{path.parent.name}/{path.stem}"})


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> InGroups:
    """What gives the tests to processes. (xdist's own `loadgroup` has no effect with pytest 9.2.)"""
    return InGroups(config, log)


# folders whose files take more than a few seconds
LONG = {"bundles", "clients", "devices", "docs", "experiments", "networks", "reports"}


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Put the tests of a group together, and the longest groups first, so that none is left at the end."""
    yield  # here they are shuffled
    first: dict[str, int] = {}
    for index, item in enumerate(items):
        first.setdefault(group_of(item.nodeid), index)
    items.sort(key=lambda item: (_turn_of(item.path), first[group_of(item.nodeid)]))


def _turn_of(path: Path) -> int:
    """When the tests of a file have their turn: 0 for what takes minutes, 1 for other long ones, 2 for the rest."""
    if _is_forked(path):
        return 0
    return 2 - (path.parent.name in LONG)


def pytest_configure(config: pytest.Config) -> None:
    """Import what the tests share, but where none runs: MONAI takes seconds, during which no process is started."""
    gc.disable()  # until all is imported, through which it would look again and again
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        config.pluginmanager.import_plugin("shared")


def pytest_collection_finish() -> None:
    """Collect garbage from now on, of what the tests make."""
    from uncollected import collect_seldom  # noqa: PLC0415 - where configure put its folder on the path

    collect_seldom()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Iterator[None]:
    """Look for no examples in the docstrings of tests: there are none, and files without tests would be imported."""
    found = yield
    return [each for each in found if not isinstance(each, DoctestModule)]
