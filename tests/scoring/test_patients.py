"""Patients of scored cases: each counts once, and none is in a fit and in its test."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import pytest
from saved_probs import Folders, sharpened, with_more

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


def test_names_alike_in_both_parts_are_told(of_patients: Folders, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert main([*of_patients.options, "--calibrate", "ts", "--fit", "a_ED"]) == 0
    assert "first a_ED (--fit) and a_ES (the measured cases): if these are of one patient, say how" in caplog.text
