"""Refusals: told in one line on the command line, and an exception in Python; what is none keeps its traceback."""

from __future__ import annotations

import linecache
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from tqdm import tqdm

import calib_monai.refusals
from calib_monai.arguments import check_whole
from calib_monai.handlers.engine_state import items
from calib_monai.refusals import TRACEBACK, OneLine, refusal_of, tell_in_one_line

ENGINE: Any = SimpleNamespace(state=SimpleNamespace(batch=[{}], output=[]))
MARGIN = {"_target_": "calib_monai.losses.MbLSLoss", "margin": -1.0}


def raised(*errors: BaseException) -> BaseException:
    """The last of these errors, each raised from the one before."""
    for before, error in zip((None, *errors), errors, strict=False):
        error.__cause__ = before
    return errors[-1]


def caught(node: dict[str, Any] | str) -> Exception:
    """What MONAI raises when it makes something of a part of a configuration."""
    with pytest.raises(RuntimeError) as error:
        ConfigParser({"imports": ["$import calib_monai"], "part": node}).get_parsed_content("part")
    return error.value


def tell(error: BaseException, config: ConfigParser | None = None) -> None:
    """Let the hook tell an error that nobody caught."""
    hook = OneLine(sys.__excepthook__)
    hook.config = config
    hook(type(error), error, error.__traceback__)


def interrupt(error: BaseException, config: ConfigParser | None = None) -> None:
    """Let the hook tell that a run was interrupted, which ends it."""
    with pytest.raises(SystemExit, match=r"^130$"):
        tell(error, config)


def told(error: BaseException, capsys: pytest.CaptureFixture[str]) -> str:
    """What the hook writes of an error."""
    tell(error)
    return capsys.readouterr().err


def test_a_refusal_is_found_in_what_monai_raised_from_it(capsys: pytest.CaptureFixture[str]) -> None:
    error = caught(MARGIN)
    refusal = refusal_of(error)
    assert str(refusal) == "margin is -1.0; it must be a finite number, at least 0"
    assert told(error, capsys) == f"error: calib_monai.losses.MbLSLoss: {refusal}\n"


def test_a_function_that_refuses_is_not_named(capsys: pytest.CaptureFixture[str]) -> None:
    rule = "epochs is 0; it must be a whole number, at least 1"
    for part in (
        {"_target_": "calib_monai.arguments.check_whole", "name": "epochs", "value": 0, "least": 1},
        "$__import__('calib_monai.arguments').arguments.check_whole('epochs', 0, 1)",
    ):
        assert told(caught(part), capsys) == f"error: {rule}\n"
    with pytest.raises(ValueError, match=rule) as error:
        check_whole("epochs", 0, 1)
    assert refusal_of(error.value) is error.value
    assert told(error.value, capsys) == f"error: {rule}\n"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: items(ENGINE),  # two lists of different lengths, in this package, without a `raise`
        lambda: torch.optim.SGD([], lr=0.1),
        lambda: {}["epochs"],
    ],
)
def test_a_bug_and_an_error_of_a_library_keep_their_traceback(
    wrong: Callable[[], object], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((KeyError, ValueError)) as error:
        wrong()
    assert refusal_of(error.value) is None
    assert told(error.value, capsys).startswith("Traceback")


@pytest.mark.parametrize("source", ["", "import os\n" * 99])
def test_a_refusal_is_told_from_what_ran_and_not_from_the_source_of_now(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(calib_monai.refusals, "SCRIPTS", tmp_path)
    file, there = tmp_path / "own.py", {}
    file.write_text("def refuse():\n    raise ValueError('x is 1')\n\n\ndef fail():\n    int('one')\n")
    exec(compile(file.read_text(), file, "exec"), there)  # noqa: S102 - as an import would
    file.write_text(source)
    linecache.clearcache()
    with pytest.raises(ValueError, match="x is 1") as error:
        there["refuse"]()
    assert told(error.value, capsys) == "error: x is 1\n"
    with pytest.raises(ValueError, match="invalid literal") as error:
        there["fail"]()
    assert told(error.value, capsys).startswith("Traceback")


@pytest.mark.parametrize("program", ["reports", "experiments"])
def test_a_program_tells_a_refusal_in_one_line_and_of_a_bug_all(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(calib_monai.refusals.PACKAGE / program / "__main__.py")
    monkeypatch.setattr(sys, "argv", [file, str(tmp_path / "none"), "--out", str(tmp_path / "out")])
    with pytest.raises(ValueError, match="none") as refused:
        runpy.run_path(file, run_name="__main__")
    sys.excepthook(refused.type, refused.value, refused.tb)
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"error: {refused.value}"
    reads = (
        "calib_monai.reports.run_files.read_runs"
        if program == "reports"
        else "calib_monai.experiments.trial_files.read_trial"
    )
    monkeypatch.setattr(reads, lambda _: int("one"))
    with pytest.raises(ValueError, match="invalid literal") as failed:
        runpy.run_path(file, run_name="__main__")
    sys.excepthook(failed.type, failed.value, failed.tb)
    assert capsys.readouterr().err.startswith("Traceback")


def test_a_full_disk_takes_the_note_for_torchrun_and_not_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path))  # a folder, which no text can be written to
    assert told(caught(MARGIN), capsys).startswith("error: calib_monai.losses.MbLSLoss: margin is -1.0")


def test_the_traceback_of_a_refusal_can_be_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRACEBACK, "1")
    first, *_, last = told(caught(MARGIN), capsys).splitlines()
    assert first.startswith("Traceback")
    assert last.startswith("error: calib_monai.losses.MbLSLoss: margin is -1.0; it must be")
    monkeypatch.setenv(TRACEBACK, "0")
    assert "Traceback" not in told(caught(MARGIN), capsys)


def test_the_hook_is_there_once_and_before_the_one_there_was(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda _kind, error, _traceback: asked.append(error))
    former = sys.excepthook
    config = ConfigParser({})
    for given in (None, config):
        tell_in_one_line(given)
    hook = sys.excepthook
    assert isinstance(hook, OneLine)
    assert hook.former is former
    assert hook.config is config
    error = KeyError("x")
    hook(KeyError, error, None)
    assert asked == [error]


def test_progress_bars_end_before_the_line() -> None:
    bar = tqdm(total=2, file=sys.stderr)
    OneLine(lambda *_: None)(KeyError, KeyError(), None)
    assert bar not in tqdm._instances


def test_of_several_processes_the_first_one_tells_it_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    for_torchrun = tmp_path / "error.json"
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(for_torchrun))
    monkeypatch.setattr("calib_monai.refusals.time.sleep", waited.append)
    for rank, waits in (("0", 0), ("1", 1)):
        monkeypatch.setenv("RANK", rank)
        [line] = told(caught(MARGIN), capsys).splitlines()
        assert len(waited) == waits
        failure = ProcessFailure(local_rank=int(rank), pid=1, exitcode=1, error_file=str(for_torchrun))
        assert line in str(ChildFailedError("monai.bundle", {0: failure}))


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ([ValueError("margin is -3"), RuntimeError("Failed to instantiate component 'a.B' with")], "a.B: margin is -3"),
        ([KeyError("x"), RuntimeError("Failed to evaluate")], "KeyError: 'x'"),
        ([TypeError()], "TypeError"),
        (
            [RuntimeError("Error(s) in loading:\n  size mismatch\n  more")],
            "RuntimeError: Error(s) in loading: size mismatch",
        ),
    ],
)
def test_the_last_line_says_why(errors: list[Exception], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = raised(*errors)
    tell(error)
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {said}"


def test_an_argument_that_a_component_refuses_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = "got an unexpected keyword argument 'x'"
    for cause in (ValueError("margin is -3"), TypeError(f"f() {wrong}")):
        error = raised(cause, RuntimeError("Failed to instantiate component 'a.B' with"))
        tell(error)
        assert capsys.readouterr().err.count("\n") == 1
    error = raised(TypeError("'int' object is not callable"), RuntimeError("Failed to instantiate component 'a.B'"))
    tell(error)
    assert capsys.readouterr().err.count("\n") > 1


def test_the_last_line_gives_the_error_that_another_one_hides(capsys: pytest.CaptureFixture[str]) -> None:
    # As PyTorch fails to close a file that could not be written.
    error = RuntimeError("unexpected pos 107520 vs 107412")
    error.__context__ = OSError(27, "File too large", "model.pt")
    assert told(error, capsys).splitlines()[-1] == "error: OSError: [Errno 27] File too large: 'model.pt'"


def test_a_file_that_could_not_be_written_is_named_whatever_failed_before(capsys: pytest.CaptureFixture[str]) -> None:
    full = OSError(28, "No space left on device", "models/model.pt")
    failed = raised(RuntimeError("unexpected pos 107520 vs 107412"), full, RuntimeError("a run that failed"))
    assert told(failed, capsys).splitlines()[-1] == f"error: OSError: {full}"


def test_an_interruption_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    interruption = KeyboardInterrupt()
    interruption.__context__ = StopIteration()
    error = RuntimeError("Failed to evaluate")
    error.__cause__ = interruption
    interrupt(error)
    assert capsys.readouterr().err == "error: interrupted\n"


def test_of_several_processes_that_are_interrupted_the_first_one_tells_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    interrupt(KeyboardInterrupt())
    assert capsys.readouterr().err == ""


def test_an_interrupted_training_says_what_it_has_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = ConfigParser({"root": str(tmp_path), "ckpt_dir": "$@root + '/models'", "run": ["$@train#trainer.run()"]})
    interrupt(KeyboardInterrupt(), config)
    assert capsys.readouterr().err == "error: interrupted before an epoch was saved\n"
    (tmp_path / "models").mkdir()
    saved = tmp_path / "models" / "checkpoint_epoch=3.pt"
    saved.touch()
    interrupt(KeyboardInterrupt(), config)
    told = "is saved: the same command with --resume True goes on after that epoch\n"
    assert capsys.readouterr().err == f"error: interrupted; {saved} {told}"
