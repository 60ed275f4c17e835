"""Stored items: they come back as they were, and a full disk is told with its file."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
import torch

from calib_monai.handlers.stored_items import StoredItems


def test_items_come_back_any_number_of_times(tmp_path: Path) -> None:
    items = StoredItems(tmp_path / "items")
    for k in range(3):
        items.add(torch.full((2, 2), k), torch.tensor(k))
    for _ in range(2):
        assert [int(number) for _, number in items] == [0, 1, 2]
    items.remove()
    assert not (tmp_path / "items").exists()


def test_a_full_disk_is_told_with_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def save(_item: Any, _file: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    items = StoredItems(tmp_path / "items")
    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(OSError, match=r"No space left on device: '.*items/0.pt'"):
        items.add(torch.zeros(1))
