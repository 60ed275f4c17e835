"""Processes that run together: when they may start, and what each works on."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from committed import processes as started_by_server
from monai.transforms import LoadImage

from calib_monai import processes
from calib_monai.datalists.files import save_nrrd
from calib_monai.processes import bar_is_hidden, check_alone, gathered, is_first_process, join, own_part, parallel


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets which of how many processes this is."""

    def set_place(rank: int, count: int) -> None:
        monkeypatch.setattr(processes, "own_rank", lambda: rank)
        monkeypatch.setattr(processes, "num_processes", lambda: count)

    return set_place


@pytest.mark.parametrize("cases", [3, 4, 5, 7, 100])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_case_is_one_process_s_and_all_keep_their_order(cases: int, count: int, place: Any) -> None:
    parts = []
    for rank in range(count):
        place(rank, count)
        parts.append(own_part(range(cases)))
    assert [case for part in parts for case in part] == list(range(cases))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_more_processes_than_cases_are_refused(place: Any) -> None:
    place(0, 3)
    with pytest.raises(ValueError, match=r"^3 processes were started for 2 case\(s\): start at most as many"):
        own_part(["a", "b"])


def test_one_process_is_the_first_and_gathers_its_own() -> None:
    assert is_first_process()
    assert gathered("value") == ["value"]


def test_one_process_alone_shows_a_bar_where_there_is_a_terminal(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bar_is_hidden()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert not bar_is_hidden()
    place(1, 2)
    assert bar_is_hidden()


def test_one_of_several_that_would_each_do_all_the_work_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    check_alone()
    monkeypatch.setenv("WORLD_SIZE", "1")
    check_alone()
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(
        ValueError, match=r"^4 processes were started, and each would do all of this: start one process; "
    ):
        check_alone()


def test_joining_needs_torchrun_and_a_gpu_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(ValueError, match=r"^configs/multi_gpu_.* are for several .* torchrun"):
        join()
    for name, value in {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "4"}.items():
        monkeypatch.setitem(os.environ, name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match=r"^4 processes were started, and there are 2 GPU"):
        join()


@pytest.mark.parametrize("has_gpu", [False, True])
def test_a_batch_is_not_normalized_in_parts(place: Any, monkeypatch: pytest.MonkeyPatch, *, has_gpu: bool) -> None:
    """Of a network on the CPU, also where there is a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    place(0, 2)
    with pytest.raises(ValueError, match=r"^Sequential normalizes over batches, .* on GPUs only"):
        parallel(torch.nn.Sequential(torch.nn.BatchNorm2d(3)))


def reads_in_a_thread(folder: Path) -> None:
    """Write how ITK changed the working directory while it was loaded, and while a thread reads a file."""
    from preloaded import FOLDER_CHANGES, change  # noqa: PLC0415 - it is for the process that this one is forked from

    later: list[str] = []
    with patch.object(os, "chdir", lambda path: (later.append(path), change(path))):
        reading = threading.Thread(target=LoadImage(image_only=True), args=[str(folder / "a.nrrd")])
        reading.start()
        reading.join()
    (folder / "changes.json").write_text(json.dumps([FOLDER_CHANGES, later]))


def test_itk_changes_the_working_directory_before_there_are_threads_and_never_after(tmp_path: Path) -> None:
    save_nrrd(tmp_path / "a.nrrd", np.zeros((4, 5, 6), np.float32), (1, 1, 1))
    process = started_by_server().Process(target=reads_in_a_thread, args=(tmp_path,))
    process.start()
    process.join()
    in_main_thread, later = json.loads((tmp_path / "changes.json").read_text())
    assert set(in_main_thread) == {True}
    assert later == []
