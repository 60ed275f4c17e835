"""Worker errors: what a worker process of a loader refuses is told in one line, as this process would."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.transforms import Compose, Lambda

from calib_monai.arguments import check_whole
from calib_monai.refusals import OneLine, refusal_of
from calib_monai.worker_errors import worker_errors

RULE = "epochs is 0; it must be a whole number, at least 1"


def refuse(_: Any) -> None:
    """A refusal of the package."""
    check_whole("epochs", 0, 1)


def fail(_: Any) -> None:
    """An error of a library."""
    torch.optim.SGD([], lr=0.1)


def refuse_in_lines(_: Any) -> None:
    """A refusal of two lines, which another error led to."""
    try:
        int("one")
    except ValueError:
        check_whole("the\nepochs", 0, 1)


def find_none(_: Any) -> None:
    """A file that is missing, in this file."""
    try:
        Path("/nowhere").read_bytes()
    except OSError as error:
        raise LookupError("no case") from error


def of_worker(work: Callable[[Any], None], *, composed: bool) -> BaseException:
    """The error that a loader passes on from its worker, whose dataset does this, in a transform of MONAI or not."""
    dataset = Dataset([0], Compose([Lambda(work)]) if composed else work)
    with pytest.raises((RuntimeError, ValueError, LookupError)) as error:
        next(iter(DataLoader(dataset, num_workers=1)))
    traceback.clear_frames(error.value.__traceback__)  # the loader ends now; of two at once, each waits for the other
    return error.value


def told(error: BaseException, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that the hook writes of an error."""
    OneLine(lambda *_: sys.stderr.write("Traceback\n"))(type(error), error, error.__traceback__)
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("composed", [True, False])
def test_a_refusal_of_a_worker_is_one_line(*, composed: bool, capsys: pytest.CaptureFixture[str]) -> None:
    error = of_worker(refuse, composed=composed)
    assert str(refusal_of(error)) == RULE
    assert told(error, capsys) == [f"error: {RULE}"]
    raised_from_it = RuntimeError("the engine failed")
    raised_from_it.__cause__ = error
    assert told(raised_from_it, capsys) == [f"error: {RULE}"]


def test_a_refusal_of_several_lines_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(of_worker(refuse_in_lines, composed=True), capsys) == [f"error: the {RULE}"]


@pytest.mark.parametrize("composed", [True, False])
def test_a_library_error_of_a_worker_keeps_its_traceback_and_its_line_gives_the_cause(
    *, composed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    error = of_worker(fail, composed=composed)
    assert refusal_of(error) is None
    assert told(error, capsys) == ["Traceback", "error: optimizer got an empty parameter list"]
    missing = of_worker(find_none, composed=composed)
    assert told(missing, capsys)[-1].endswith("No such file or directory: '/nowhere'")


def test_errors_of_a_worker_come_from_the_last_to_the_first() -> None:
    kinds = [error.kind for error in worker_errors(of_worker(find_none, composed=True))]
    assert kinds == ["RuntimeError", "LookupError", "FileNotFoundError"]
    assert worker_errors(RuntimeError("Caught nothing")) == []
    assert worker_errors(RuntimeError("Caught X in a thread.\nOriginal Traceback (most recent call last):\n")) == []
