"""Refusals: errors that a person can mend. In Python they are a ValueError, and on the command line one line."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dis import opname
from pathlib import Path
from traceback import extract_tb
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from tqdm import tqdm

from calib_monai.worker_errors import worker_errors

if TYPE_CHECKING:  # scripts need not wait for it
    from monai.bundle import ConfigParser

PACKAGE = Path(__file__).parent
SCRIPTS = PACKAGE.parent / "scripts"  # of a clone
TRACEBACK = "CALIB_MONAI_TRACEBACK"  # environment variable: 1 shows the traceback of a refusal too
INTERRUPTED = 130  # exit code after Ctrl-C, as of a shell
WAIT = 30  # seconds in which torchrun ends the other processes where the first one has ended, however slow it is

ExceptHook = Callable[[type[BaseException], BaseException, TracebackType | None], object]


def refusal_of(error: BaseException) -> ValueError | None:
    """The refusal that an error was raised from: a ValueError that a `raise` of this package or its scripts raised.

    MONAI raises an error of its own from one of a component. A ValueError of a library, or of a bug, is no refusal.
    PyTorch passes on an error of a worker process as text; a refusal there is found in it.

    Args:
        error: as it was caught.
    """
    for one in causes_of(error):
        if isinstance(one, ValueError) and _is_raised_here(one):
            return one
        for there in worker_errors(one):
            if there.kind == "ValueError" and _is_here(there.file) and there.source.startswith("raise "):
                return ValueError(there.message)
    return None


class OneLine:
    """A `sys.excepthook` that tells in one line what was refused, below the progress bars; the exit code stays 1.

    All other errors are told as before, and below in one line: their cause is hidden in pages of MONAI's. Ctrl-C is one
    line, with the exit code 130. Of several processes that refuse the same, the first one tells it.

    Args:
        former: the hook until now.

    Attributes:
        config: of the run, with its options, once that is known.
    """

    def __init__(self, former: ExceptHook) -> None:
        self.former = former
        self.config: ConfigParser | None = None

    def __call__(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        """Tell an error that nobody caught."""
        causes = causes_of(error, contexts=True)
        if any(isinstance(cause, KeyboardInterrupt) for cause in causes):
            if is_first():
                sys.stderr.write(f"error: interrupted{_saved_by(self.config)}\n")
            raise SystemExit(INTERRUPTED)
        if not is_first():
            time.sleep(WAIT)
        for bar in list(getattr(tqdm, "_instances", [])):
            bar.close()
        refusal, component = refusal_of(error), _component(causes)
        if not (refusal or (component and _is_of_arguments(causes[-1]))) or os.environ.get(TRACEBACK, "0") != "0":
            self.former(kind, error, traceback)
        if refusal:
            made_by = component if "__init__" in _functions_here(refusal) else ""
            told = str(refusal)
        else:
            made_by, told = component, first_lines(_telling(causes))
        line = f"error: {made_by}{' '.join(told.splitlines())}"
        sys.stderr.write(f"{line}\n")
        _note_for_torchrun(line)


def tell_in_one_line(config: ConfigParser | None = None) -> None:
    """Make `OneLine` the hook of this program, once, before the hook that it had.

    Args:
        config: of the run, with its options, once that is known.
    """
    hook = sys.excepthook if isinstance(sys.excepthook, OneLine) else OneLine(sys.excepthook)
    hook.config = config
    sys.excepthook = hook


def is_first() -> bool:
    """Whether torchrun did not start this process, or as the first of several; before they are joined."""
    return os.environ.get("RANK", "0") == "0"


def end_with(text: str) -> NoReturn:
    """Print a text and end the program with exit code 0, as after `--help`."""
    sys.stdout.write(text)
    raise SystemExit(0)


def _note_for_torchrun(line: str) -> None:
    """Let the summary that torchrun prints, where it started this, give a line as the cause."""
    if file := os.environ.get("TORCHELASTIC_ERROR_FILE"):
        cause = {"message": line, "extraInfo": {"py_callstack": line, "timestamp": str(int(time.time()))}}
        with suppress(OSError):  # of a full disk: the line itself is told
            Path(file).write_text(json.dumps({"message": cause}), encoding="utf-8")


def causes_of(error: BaseException | None, *, contexts: bool = False) -> list[BaseException]:
    """An error, the one that it was raised from, and so on; with `contexts` also the one that was being handled."""
    causes = []
    while error:
        causes.append(error)
        error = error.__cause__ or (error.__context__ if contexts and not error.__suppress_context__ else None)
    return causes


def _functions_here(error: BaseException) -> set[str]:
    """The names of the functions of this package that an error came through."""
    return {frame.name for frame in extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(PACKAGE)}


def _is_raised_here(error: BaseException) -> bool:
    """Whether a `raise` in this package or its scripts raised an error, by the last instruction that was run.

    The text of the source may be another by now, or not be there.
    """
    at = error.__traceback__
    while at and at.tb_next:
        at = at.tb_next
    if at is None:
        return False
    code = at.tb_frame.f_code
    return _is_here(Path(code.co_filename)) and opname[code.co_code[at.tb_lasti]] == "RAISE_VARARGS"


def _is_here(file: Path) -> bool:
    """Whether a file is one of this package or its scripts."""
    return any(file.is_relative_to(folder) for folder in (PACKAGE, SCRIPTS))


def _is_of_arguments(error: BaseException) -> bool:
    """Whether a component that raised this was given an argument that it does not take."""
    return isinstance(error, ValueError) or (isinstance(error, TypeError) and "argument" in str(error))


def _component(causes: list[BaseException]) -> str:
    """The component of the configuration that failed, with a colon; empty where it was none."""
    named = [re.match(r"Failed to instantiate component '([^']+)'", str(cause)) for cause in causes]
    return next((f"{one[1]}: " for one in reversed(named) if one), "")


def _telling(causes: list[BaseException]) -> BaseException:
    """The first error of all, or an OSError that names a file: on a full disk, PyTorch may fail before that does."""
    named = [one for one in causes if isinstance(one, OSError) and one.filename]
    return named[-1] if named else causes[-1]


def first_lines(error: BaseException) -> str:
    """The first two lines of an error; the name of the error comes first, unless it is a ValueError.

    Of an error of a worker process it is the one that all others were raised from.
    """
    there = worker_errors(error)
    kind, text = (there[-1].kind, there[-1].message) if there else (type(error).__name__, str(error))
    told = " ".join([line.strip() for line in text.splitlines() if line.strip()][:2])
    if told and (kind == "ValueError" if there else isinstance(error, ValueError)):
        return told
    return f"{kind}: {told}".removesuffix(": ")


def _saved_by(config: ConfigParser | None) -> str:
    """The last checkpoint of an interrupted training and how to continue it; empty if the run is not a training."""
    if config is None or "trainer.run()" not in str(config.get("run")):
        return ""
    saved = list(Path(str(config.get_parsed_content("ckpt_dir"))).glob("checkpoint_epoch=*.pt"))
    if not saved:
        return " before an epoch was saved"
    last = max(saved, key=lambda path: path.stat().st_mtime)
    return f"; {last} is saved: the same command with --resume True goes on after that epoch"
