"""Patients of scored cases: each counts once, and none is in a fit and in its test."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from saved_probs import Folders, sharpened, with_more

from calib_monai.apply import main as apply
from calib_monai.reports.run_files import read_run
from calib_monai.score import main

NAMES = ("a_ED", "a_ES", "b_ED", "c_ED")


@pytest.fixture
def of_patients(folders: Callable[..., Folders]) -> Folders:
    """Probabilities of four cases, of which two are of the patient a."""
    given = with_more(folders())
    for name, (case, made) in zip(NAMES, given.cases.items(), strict=True):
        given.write(name, "{}.npy", sharpened(made.probs))
        (given.labels / f"{case}.nii.gz").rename(given.labels / f"{name}.nii.gz")
    return given


def test_cases_of_a_patient_are_told_and_named(of_patients: Folders, caplog: pytest.LogCaptureFixture) -> None:
    out = of_patients.probs.parent / "out"
    with caplog.at_level(logging.WARNING):
        assert main(of_patients.options) == 0
    assert "1 patient(s) may have several cases, first a_ED and a_ES" in caplog.text
    assert "as --patient '{patient}_*'" in caplog.text
    assert len(set(read_run(out).patient_of_each)) == 4
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert main([*of_patients.options, "--patient", "{patient}_*"]) == 0
    assert "several cases" not in caplog.text
    assert read_run(out).patients == {"a_ED": "a", "a_ES": "a", "b_ED": "b", "c_ED": "c"}


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        (["--patient", "*_ED"], "--patient: the pattern '*_ED' must name the patient"),
        (["--patient", "{patient}_ED"], "--patient: the pattern '{patient}_ED' of the patient does not fit a_ES"),
        (
            ["--patient", "{patient}_*", "--calibrate", "ts", "--fit", "a_ED"],
            "patient a is in --fit with a_ED and in the measured cases with a_ES; all cases of a patient must be in",
        ),
    ],
)
def test_a_wrong_pattern_and_a_patient_in_both_parts_are_refused(
    options: list[str], refusal: str, of_patients: Folders
) -> None:
    with pytest.raises(ValueError, match=re.escape(refusal)):
        main([*of_patients.options, *options])
    assert not (of_patients.probs.parent / "out").exists()


def test_the_number_of_patients_is_told(of_patients: Folders, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert main([*of_patients.options, "--patient", "{patient}_*"]) == 0
    assert "4 case(s) are of 3 patient(s), first a" in caplog.text


def test_a_pattern_that_makes_a_patient_of_each_case_is_told(
    of_patients: Folders, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert main([*of_patients.options, "--patient", "{patient}", "--calibrate", "ts", "--fit", "a_ED"]) == 0
    assert "in more than one set, first a_ED (--fit) and a_ES (the measured cases)" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert main([*of_patients.line("--out", f"{of_patients.probs.parent / 'all'}"), "--patient", "{patient}"]) == 0
    assert "1 patient(s) may have several cases, first a_ED and a_ES" in caplog.text
    assert "check --patient, by which they are of several" in caplog.text


def test_a_fit_takes_patients(of_patients: Folders, caplog: pytest.LogCaptureFixture) -> None:
    fit = ["--patient", "{patient}_*", "--calibrate", "ts", "--fit"]
    with caplog.at_level(logging.WARNING):
        assert main([*of_patients.options, *fit, "a", "b_ED"]) == 0
    out = of_patients.probs.parent / "out"
    assert list(read_run(out / "eval_ts").cases) == ["c_ED"]
    assert json.loads((out / "scored.json").read_text())["fitted_to"] == ["a_ED", "a_ES", "b_ED"]
    assert read_run(out / "eval_ts").fitted_patients == 2
    with pytest.raises(ValueError, match=r"--fit bb is neither a folder nor a case or patient of .*did you mean b\?"):
        main([*of_patients.options, *fit, "bb"])


def test_a_folder_with_the_name_of_a_patient_is_not_taken_for_other_probabilities(
    of_patients: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    assert main([*of_patients.options, "--patient", "{patient}_*", "--calibrate", "ts", "--fit", "a"]) == 0


def test_a_fit_to_few_patients_is_told_whatever_the_number_of_their_cases(
    folders: Callable[..., Folders], caplog: pytest.LogCaptureFixture
) -> None:
    given = with_more(folders(), 12)
    for place, (case, made) in enumerate(given.cases.items()):
        name = f"p{place // 2}_{place % 2}"
        given.write(name, "{}.npy", sharpened(made.probs))
        (given.labels / f"{case}.nii.gz").rename(given.labels / f"{name}.nii.gz")
    fit = ["--patient", "{patient}_*", "--calibrate", "ts", "--fit", *(f"p{place}" for place in range(5))]
    with caplog.at_level(logging.WARNING):
        assert main([*given.options, *fit]) == 0
    assert "fitted to 10 cases of 5 patient(s): what suits fewer than 10 may suit no others" in caplog.text
    caplog.clear()
    out = given.probs.parent / "out"
    with caplog.at_level(logging.WARNING):
        assert apply(["--fitted", str(out), "--probs", str(given.probs), "--out", str(given.probs.parent / "new")]) == 0
    assert "Its calibrator changes NLL by" in caplog.text
    assert "in 2 case(s) of 1 patient(s), which are too few to tell." in caplog.text


def test_a_part_of_the_names_of_cases_is_told_how_to_become_a_patient(of_patients: Folders) -> None:
    with pytest.raises(
        ValueError, match=r"--fit a is neither .*; several cases begin with it: --patient '\{patient\}_\*'"
    ):
        main([*of_patients.options, "--calibrate", "ts", "--fit", "a"])


def test_a_pattern_that_makes_all_cases_one_patient_is_told(
    of_patients: Folders, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = ["--patient", "{patient}_*", "--cases", "a_ED", "a_ES"]
    with caplog.at_level(logging.WARNING):
        assert main([*of_patients.options, *cases]) == 0
    assert "all 2 cases are of one patient, " in caplog.text
    assert "on average of 2 cases of 1 patient(s), which are too few to tell." in capsys.readouterr().out


def test_names_alike_in_both_parts_are_told(of_patients: Folders, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert main([*of_patients.options, "--calibrate", "ts", "--fit", "a_ED"]) == 0
    assert "first a_ED (--fit) and a_ES (the measured cases): if these are of one patient, say how" in caplog.text
