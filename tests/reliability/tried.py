"""Runs of a bundle as its command line runs them, each in a process that has everything imported already."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import re
import resource
import runpy
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from committed import COLLECTION, FILES, VOLUMES, processes, trimmed, write_dataset
from wrong_inputs import Wrong, prepared

from calib_monai.phantoms import make_phantoms
from calib_monai.read_once import forget

PATIENCE = 120  # seconds, after which a run hangs
RUNS_OF_A_WORKER = 25
QUICK = 20  # seconds of the processor that a refusal may take: on the clock it takes longer where others run
CAPABILITY_VERSION, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 0x20080522, 1, 2  # of <linux/capability.h>


@dataclass(frozen=True)
class Tried:
    """What came of a run: its exit code, the last line that it wrote, the processor's seconds, all that it wrote."""

    code: int
    last_line: str
    seconds: float
    untouched: bool = True
    said: str = field(default="", repr=False)

    def verdict(self, wrong: Wrong) -> str:
        """One of "clear", "works", "unclear", "silent"."""
        if wrong.said is None:
            return "works" if self.code == 0 else "unclear"
        if self.code == 0:
            return "silent"
        clear = self.last_line.startswith("error: ") and re.search(wrong.said, self.last_line)
        return "clear" if clear and self.seconds < QUICK and self.untouched else "unclear"


def good_data(folder: Path) -> None:
    """Six phantoms of four slices, and what one epoch of training and an evaluation leave, with no pictures."""
    write_dataset("hippocampus", folder / "data", trimmed(make_phantoms(6, seed=5), 14, 18))
    for config, options in (("train", {}), ("evaluate", {"figures": False})):
        done = run_line(folder, command(folder, COLLECTION / "hippocampus_nacl", config, options))
        assert done.code == 0, done.last_line
    (folder / "eval" / "report").mkdir()
    (folder / "eval" / "report" / "report.html").write_text("of these results")


def tried(wrong: Wrong, folder: Path, good: Path, worker: Worker | None = None) -> Tried:
    """What comes of a way to be wrong, in a process of its own, or in a worker unless its process has limits."""
    folder.mkdir()
    prepared(folder, good, COLLECTION / f"{wrong.dataset}_{wrong.method}", wrong)
    before = digests(folder)
    options = {
        name: value.format(folder) if isinstance(value, str) and "{}" in value else value
        for name, value in wrong.options.items()
    }
    line = command(folder, folder / "bundle", wrong.config, options)
    done = worker.run(folder, line) if worker and not wrong.limits else run_line(folder, line, wrong.limits)
    kept = digests(folder)
    untouched = all(kept.get(name) == digest for name, digest in before.items())
    return replace(done, untouched=untouched)


def command(folder: Path, bundle: Path, config: str, options: dict[str, object]) -> list[str]:
    """The arguments of `python -m monai.bundle`."""
    files = [str(bundle / "configs" / f"{name}.json") for name in (FILES | VOLUMES)[config]]
    given: dict[str, object] = {"bundle_root": bundle, "dataset_dir": folder / "data", "ckpt_dir": folder / "models"}
    given |= {"output_dir": folder / "eval"}
    given |= {"epochs": 1, "batch_size": 8} if config == "train" else {}
    given |= options
    return [
        "run",
        "--config_file",
        str(files),
        *(str(part) for name, value in given.items() for part in (f"--{name}", value)),
    ]


def run_line(
    folder: Path, arguments: Sequence[str], limits: dict[str, int] | None = None, module: str = "monai.bundle"
) -> Tried:
    """What came of `python -m` a module with these arguments."""
    log = folder / "log.txt"
    spent = processes().Value("d", PATIENCE)
    process = processes().Process(target=_in_process, args=(log, list(arguments), dict(limits or {}), spent, module))
    process.start()
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        process.join()
    return _tried(process.exitcode or 0, spent.value, log)


def _tried(code: int, seconds: float, log: Path) -> Tried:
    """What came of a run that wrote to a file, which is removed."""
    said = log.read_text(errors="replace")
    lines = [line for line in said.splitlines() if line.strip()]
    log.unlink()
    return Tried(code, lines[-1] if lines else "", seconds, said=said)


class Worker:
    """A process that runs one bundle after the other: to fork for each, and to warm up, takes longer than a refusal.

    It is replaced after some runs, and when it ended or hangs.
    """

    def __init__(self) -> None:
        self.runs = RUNS_OF_A_WORKER
        self.process: Any = None
        self.pipe: Any = None

    def run(self, folder: Path, arguments: Sequence[str]) -> Tried:
        """As `run_line`."""
        if self.runs == RUNS_OF_A_WORKER or not self.process.is_alive():
            self.close()
            self.pipe, theirs = multiprocessing.Pipe()
            self.process = processes().Process(target=_work, args=(theirs,))
            self.process.start()
            theirs.close()
            self.runs = 0
        self.runs += 1
        log = folder / "log.txt"
        self.pipe.send((log, list(arguments)))
        try:
            code, seconds = self.pipe.recv() if self.pipe.poll(PATIENCE) else (-1, PATIENCE)
        except EOFError:
            self.process.join()
            code, seconds = self.process.exitcode, 0
        if seconds == PATIENCE:
            self.process.kill()
            self.process.join()
        return _tried(code, seconds, log)

    def close(self) -> None:
        """End the process."""
        if self.pipe:
            self.pipe.close()
            self.process.join()


def _work(pipe: Any) -> None:
    """Run what a pipe tells, and tell the exit code and the processor's seconds, until it is closed."""
    _without_privileges()
    while True:
        try:
            log, arguments = pipe.recv()
        except EOFError:
            return
        forget()
        sys.excepthook = sys.__excepthook__
        before = sum(os.times()[:4])
        code = run_program("monai.bundle", arguments, log.parent, log)
        pipe.send((code, sum(os.times()[:4]) - before))


def _in_process(log: Path, arguments: list[str], limits: dict[str, int], spent: Any, module: str) -> None:
    """Run as `python -m` a module, with both outputs in a file; `spent` becomes the processor's seconds."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a limit is then an error, as a full disk is
    _without_privileges()
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, name), (value, value))
    code = run_program(module, arguments, log.parent, log)
    spent.value = sum(os.times()[:4])  # of its own and of its children
    os._exit(code)


def run_program(module: str, arguments: Sequence[str], folder: Path, log: Path) -> int:
    """The exit code of `python -m` a module, run in this process in a folder; what it writes is put at a file's end."""
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    sys.stdout = os.fdopen(1, "w", closefd=False)  # no run that was before is to close it
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.chdir(folder)
    multiprocessing.set_start_method("fork", force=True)  # as in a process that was started by hand
    torch.set_num_threads(1)
    sys.argv = [f"{module.replace('.', '/')}/__main__.py", *arguments]
    code = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=False)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            sys.stderr.write(ended.code + "\n")
    except BaseException:  # noqa: BLE001 - as the interpreter does
        code = 1
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _without_privileges() -> None:
    """Let root be told what may not be read or written, as any other user is."""

    class Sets(ctypes.Structure):
        _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))

    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (Sets * 2)()
    assert libc.capget(header, sets) == 0, os.strerror(ctypes.get_errno())
    for kept in ("effective", "permitted"):
        setattr(sets[0], kept, getattr(sets[0], kept) & ~(1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH))
    assert libc.capset(header, sets) == 0, os.strerror(ctypes.get_errno())


def digests(folder: Path) -> dict[str, str]:
    """What is in a folder, file by file."""
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for name in ("models", "eval", "data")
        for path in (folder / name).rglob("*")
        if path.is_file() and path.suffix != ".0" and os.access(path, os.R_OK)
    }
