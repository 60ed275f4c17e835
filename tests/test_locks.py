"""Locks: of two runs that would write the same files the second is refused, and a crash leaves nothing that blocks."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest
from committed import SMALL_NETWORK, processes, refused, start, trimmed, write_dataset

from calib_monai import locks
from calib_monai.handlers import calibration
from calib_monai.phantoms import make_phantoms


def hold_and_wait(folder: str, what: str, is_held: Event) -> None:
    """Hold a lock until this process is killed."""
    locks.hold(folder, what)
    is_held.set()
    signal.pause()


@contextmanager
def held_elsewhere(folder: Path, what: str) -> Iterator[int]:
    """Another process holds a lock, and is killed at the end."""
    is_held = processes().Event()
    process = processes().Process(target=hold_and_wait, args=(str(folder), what, is_held))
    process.start()
    assert is_held.wait(60)
    assert process.pid is not None
    try:
        yield process.pid
    finally:
        process.kill()
        process.join()


def test_another_process_is_named_and_blocks_nothing_once_it_was_killed(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path, "training") as process:
        told = rf"^{tmp_path}: another training writes there \(process {process} on .*, since 20.*\); wait until it has"
        with pytest.raises(ValueError, match=told):
            locks.hold(str(tmp_path), "training")
        locks.hold(str(tmp_path), "evaluation")  # which writes other files
    locks.hold(str(tmp_path), "training")
    assert json.loads((tmp_path / ".training.lock").read_text())["process"] == os.getpid()
    locks.hold(str(tmp_path), "training")
    locks.release("training")
    assert [path.name for path in tmp_path.iterdir()] == [".evaluation.lock"]
    locks.release("evaluation")
    locks.release("evaluation")
    assert not locks.held
    assert not list(tmp_path.iterdir())


def test_what_killed_runs_have_left_goes_only_while_the_lock_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (left := tmp_path / ".unfinished_1_model.pt").touch()
    with held_elsewhere(tmp_path, "training"), pytest.raises(ValueError, match="another training writes there"):
        locks.hold(str(tmp_path), "training", ["model.pt"])
    assert left.exists()
    with monkeypatch.context() as patched:
        patched.setattr(locks.FileLock, "acquire", lambda _lock: (_ for _ in ()).throw(NotImplementedError("no locks")))
        locks.hold(str(tmp_path), "training", ["model.pt"])
    assert left.exists()
    locks.hold(str(tmp_path), "training")
    assert left.exists()
    locks.hold(str(tmp_path), "training", ["model.pt"])
    assert not left.exists()
    locks.release("training")


def test_what_holds_a_lock_need_not_say_so(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path, "training"):
        (tmp_path / ".training.lock").write_text("{")
        with pytest.raises(ValueError, match="another training writes there; wait until it has ended"):
            locks.hold(str(tmp_path), "training")


def test_each_run_is_refused_where_another_of_its_kind_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dataset("hippocampus", tmp_path / "data", trimmed(make_phantoms(6, seed=5), 14, 16))
    run = "hippocampus_ce", tmp_path / "data", tmp_path / "out"
    bundle, *places = run
    (tmp_path / "out").mkdir()
    with held_elsewhere(tmp_path / "out", "training"), refused("another training writes there"):
        start(bundle, "train", *places, epochs=1, **SMALL_NETWORK)
    assert not list((tmp_path / "out").rglob("*.pt"))
    start(bundle, "train", *places, epochs=1, **SMALL_NETWORK)
    with held_elsewhere(tmp_path / "out" / "models", "calibration_ts"), refused("another calibration_ts writes there"):
        start(bundle, "calibrate", *places, calibrator="ts", **SMALL_NETWORK)
    with held_elsewhere(tmp_path / "out" / "eval", "evaluation"), refused("another evaluation writes there"):
        start(bundle, "evaluate", *places, output_dir=str(tmp_path / "out" / "eval"), figures=False, **SMALL_NETWORK)
    assert not list((tmp_path / "out").rglob("calibrator*"))
    start(bundle, "train", tmp_path / "data", tmp_path / "second", epochs=1, seed=1, **SMALL_NETWORK)
    models = [str(tmp_path / out / "models") for out in ("out", "second")]  # whose calibrator is a file of its own
    with held_elsewhere(tmp_path / "out" / "models", "calibration_ts"):
        of_all = {"ckpt_dirs": models, "output_dir": str(tmp_path / "of_all")}
        start(bundle, "calibrate", *places, calibrator="ts", **SMALL_NETWORK, **of_all)
    assert [path.name for path in (tmp_path / "out").rglob("calibrator*")] == ["calibrator_ts_ensemble.safetensors"]
    (tmp_path / "out" / "models" / "calibrator_ts_ensemble.safetensors").unlink()
    assert not list((tmp_path / "out" / "eval").glob("*.json"))
    held_then, save = [], calibration.save_calibrator

    def saved(*given: Any) -> Path:
        held_then.append(len(locks.held))
        return save(*given)

    monkeypatch.setattr(calibration, "save_calibrator", saved)
    start(bundle, "calibrate", *places, calibrator="ts", **SMALL_NETWORK)
    assert held_then == [1]  # until all is written
    start(bundle, "evaluate", *places, output_dir=str(tmp_path / "out" / "eval"), figures=False, **SMALL_NETWORK)
    assert not locks.held
    assert not list((tmp_path / "out").rglob("*.lock"))
