"""Tests that share fixtures run in one process, whatever their order, and none of them waits for the disk."""

from __future__ import annotations

import os

import pytest


@pytest.mark.parametrize("number", range(8))
def test_a_file_runs_in_one_process(number: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    started = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        started = started.parent  # which the processes share
    (started / f"{os.getpid()}.process").write_text(str(number))
    assert len(list(started.glob("*.process"))) == 1


def test_no_test_waits_for_the_disk(request: pytest.FixtureRequest) -> None:
    assert "_unsynced" in request.fixturenames
    os.fsync(-1)  # which is no file
