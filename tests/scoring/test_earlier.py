"""Earlier results: none lies beside new ones, and none is lost before these are there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import nibabel
import numpy as np
import pytest
from saved_probs import AFFINE, Folders, made

from calib_monai.score import main
from calib_monai.scoring.earlier import come_back

FIT = ("--calibrate", "ts", "--fit")
KILLED = """
import os, signal, sys
from pathlib import Path
from calib_monai.scoring.earlier import kept_apart
from calib_monai.whole_files import write_json
steps, real, out = int(sys.argv[1]), Path.rename, Path(sys.argv[2])
def step(*given):
    global steps
    steps -= 1
    if steps < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given)
Path.rename = step
with kept_apart(out):
    for name in ("scored.json", "eval/summary.json", "summary.json"):
        write_json(out / name, {"new": 1})
    sys.exit(3)
"""


@pytest.fixture
def given(folders: Callable[..., Folders]) -> Folders:
    """Three cases with probabilities and labels."""
    prepared = folders()
    prepared.cases["case_2"] = made(2)
    nibabel.save(nibabel.Nifti1Image(prepared.cases["case_2"].label, AFFINE), prepared.labels / "case_2.nii.gz")
    for case, one in prepared.cases.items():
        prepared.write(case, "{}.npz", one.probs.transpose(0, 3, 2, 1))
    return prepared


def held_in(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but locks, hidden ones included."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".lock"]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def spoiled(given: Folders) -> None:
    """Put NaN into the last case."""
    probs = given.cases["case_2"].probs.transpose(0, 3, 2, 1).copy()
    probs[0, 0, 0, 0] = np.nan
    given.write("case_2", "{}.npz", probs)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((), (*FIT, "case_1")),
        ((*FIT, "case_0"), ()),
        ((*FIT, "case_0"), (*FIT, "case_1")),
        ((*FIT, "case_2"), (*FIT, "case_1", "case_0")),
    ],
)
def test_a_second_run_leaves_what_it_would_have_written_alone(
    given: Folders, first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    out = given.probs.parent / "out"
    assert main(given.line(*first)) == 0
    assert main(given.line("--overwrite", *second)) == 0
    alone = given.probs.parent / "alone"
    assert main(given.line(*second, "--out", str(alone))) == 0
    assert held_in(out).keys() == held_in(alone).keys()
    for name in ("cases.csv", "eval/cases.csv", "eval_ts/cases.csv", "calibration_ts.json", "calibrated/case_0.npz"):
        assert held_in(out).get(name) == held_in(alone).get(name)


@pytest.mark.parametrize("second", [(), (*FIT, "case_1"), ("--calibrate", "lts", "--fit", "case_0")])
def test_another_calibrator_is_not_removed_without_a_word(given: Folders, second: tuple[str, ...]) -> None:
    assert main(given.line(*FIT, "case_0")) == 0
    before = held_in(given.probs.parent / "out")
    with pytest.raises(
        ValueError, match=r"holds the calibrator ts, fitted to 1 case\(s\), first case_0, which this run"
    ):
        main(given.line(*second))
    assert held_in(given.probs.parent / "out") == before
    assert main(given.line(*FIT, "case_0")) == 0


@pytest.mark.parametrize("first", [(), (*FIT, "case_0")])
@pytest.mark.parametrize("second", [(), (*FIT, "case_1"), (*FIT, "case_2")])
def test_a_run_that_is_refused_changes_nothing(given: Folders, first: tuple[str, ...], second: tuple[str, ...]) -> None:
    out = given.probs.parent / "out"
    assert main(given.line(*first)) == 0
    before = held_in(out)
    spoiled(given)
    with pytest.raises(ValueError, match="are NaN"):
        main(given.line("--overwrite", *second))
    assert held_in(out) == before


@pytest.mark.parametrize("options", [(), (*FIT, "case_0"), (*FIT, "case_2")])
def test_a_first_run_that_is_refused_leaves_nothing_that_holds_a_folder(
    given: Folders, options: tuple[str, ...]
) -> None:
    spoiled(given)
    with pytest.raises(ValueError, match="are NaN"):
        main(given.line(*options))
    assert not held_in(given.probs.parent / "out")
    given.write("case_2", "{}.npz", given.cases["case_2"].probs.transpose(0, 3, 2, 1))
    assert main(given.line(*options)) == 0


def test_results_come_back_after_a_run_that_was_killed(given: Folders) -> None:
    """Whichever of the moves of files was to come next."""
    out = given.probs.parent / "out"
    assert main(given.line(*FIT, "case_0")) == 0
    before = held_in(out)
    codes = []
    for steps in (0, 1, 4, 6, 7, 8, 10, 12, 30):
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", KILLED, str(steps), str(out)], check=False)  # noqa: S603
        codes.append(done.returncode)
        come_back(out)
        assert held_in(out) == before
    assert codes[0] == -signal.SIGKILL
    assert codes[-1] == 3


def test_results_of_other_labels_are_not_replaced(given: Folders, tmp_path: Path) -> None:
    assert main(given.options) == 0
    before = held_in(tmp_path / "out")
    given.labels.rename(tmp_path / "corrected")
    line = given.line("--labels", str(tmp_path / "corrected"))
    with pytest.raises(ValueError, match=r"holds results of .*probs with the labels .*labels: set another --out, or"):
        main(line)
    assert held_in(tmp_path / "out") == before
    assert main([*line, "--overwrite"]) == 0
    assert json.loads((tmp_path / "out" / "scored.json").read_text())["labels"] == str(tmp_path / "corrected")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("eval/summary.json", "holds results of an evaluation, first eval: set"),
        ("summary.json", "holds results of an evaluation, first summary.json: set"),
        ("cases.csv", "holds results of another program, first cases.csv: set"),
        ("calibrated/case_0.npz", "holds results of another program, first calibrated: set"),
        ("scored.json", "holds results of something else: set"),
    ],
)
def test_what_another_program_wrote_is_not_replaced(given: Folders, tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "out" / name).parent.mkdir(parents=True)
    (tmp_path / "out" / name).write_text("3")
    with pytest.raises(ValueError, match=said):
        main(given.options)
    assert (tmp_path / "out" / name).read_text() == "3"


def test_calibrated_probabilities_are_not_scored_into_the_folder_that_holds_them(
    given: Folders, tmp_path: Path
) -> None:
    assert main([*given.options, *FIT, "case_0"]) == 0
    before = held_in(tmp_path / "out")
    line = given.line("--probs", str(tmp_path / "out" / "calibrated"), "--overwrite")
    with pytest.raises(ValueError, match=r"--probs .*calibrated lies among the results of --out .*set another --out"):
        main(line)
    assert held_in(tmp_path / "out") == before


def test_a_report_that_cannot_be_drawn_takes_no_numbers_away(given: Folders, tmp_path: Path) -> None:
    line = [word for word in given.line(*FIT, "case_0") if word != "--no_figures"]
    with (
        patch("calib_monai.scoring.runs.write_report", side_effect=RuntimeError("no fonts")),
        pytest.raises(RuntimeError, match="no fonts"),
    ):
        main(line)
    assert (tmp_path / "out" / "eval_ts" / "summary.json").is_file()
