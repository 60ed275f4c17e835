"""Worker errors: reads the text in which PyTorch passes on an error of a worker process of a `DataLoader`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PASSED_ON = re.compile(r"Caught \w+ [^\n]*\.\nOriginal (Traceback .*)", re.DOTALL)
CAUSE, CONTEXT = "direct cause", "handling"  # of the error that follows in the text
BETWEEN = re.compile(rf"\n\n[^\n]*?({CAUSE}|{CONTEXT})[^\n]*:\n\n(?=Traceback )")
FRAME = re.compile(r'^  File "(?P<file>[^\n]*)", line \d+, in [^\n]*(?:\n    (?P<source>[^\n]*))?', re.MULTILINE)


@dataclass(frozen=True)
class WorkerError:
    """An error in a text.

    Attributes:
        kind: the name of its class.
        message: its message.
        file: the file that raised it.
        source: the line in this file, empty if the text does not show it.
    """

    kind: str
    message: str
    file: Path
    source: str


def worker_errors(error: BaseException) -> list[WorkerError]:
    """The error of a worker, then the one that it was raised from, and so on; empty if no worker passed one on.

    Args:
        error: what the process of the loader raised.
    """
    if not (passed_on := PASSED_ON.match(str(error))):
        return []
    *earlier, last = BETWEEN.split(passed_on[1])
    texts = [last]
    while earlier and earlier.pop() == CAUSE:
        texts.append(earlier.pop())
    return [found for text in texts if (found := _error_in(text))]


def _error_in(text: str) -> WorkerError | None:
    """The error that a traceback tells; None if it has no frame."""
    if not (frames := list(FRAME.finditer(text))):
        return None
    told = re.search(r"^\S.*", text[frames[-1].end() :], re.MULTILINE | re.DOTALL)
    kind, _, message = (told[0] if told else "").partition(": ")
    return WorkerError(kind.strip(), message.strip(), Path(frames[-1]["file"]), frames[-1]["source"] or "")
