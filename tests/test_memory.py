"""Memory: what is kept to save time has a limit, which the processes of a run share."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import calib_monai.memory
from calib_monai.memory import MOST, fits


def test_what_is_kept_has_a_limit() -> None:
    assert fits(MOST - 10, held=10)
    assert not fits(MOST - 10, held=11)


def test_processes_and_workers_share_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert fits(MOST // 2, held=0)
    assert not fits(MOST // 2, held=1)
    monkeypatch.setattr(calib_monai.memory, "get_worker_info", lambda: SimpleNamespace(num_workers=4))
    assert fits(MOST // 8, held=0)
    assert not fits(MOST // 8, held=1)
