"""Patients of scored cases: which case is of whom, so that a patient counts once and is not in a fit and its test."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from calib_monai.datalists.patients import (
    check_patients_apart,
    warn_of_one_patient,
    warn_of_several_cases,
    with_patients,
)
from calib_monai.scoring.pairs import Pair

FITTED, MEASURED = "--fit", "the measured cases"
MEND = "say how patients are named, as --patient '{patient}_*'"


def patients_in(pairs: Sequence[Pair], labels: Path, pattern: str) -> dict[str, str]:
    """The patient of each case; nobody's where there is no pattern.

    Args:
        pairs: the cases.
        labels: the folder of their labels.
        pattern: as `with_patients` takes it, or "".

    Raises:
        ValueError: a pattern that names no patient or does not fit a case.
    """
    if not pattern:
        return {}
    cases = [{"case": pair.case, "label": pair.label} for pair in pairs]
    try:
        known = with_patients(cases, str(labels.absolute()), pattern)
    except ValueError as error:
        raise ValueError(f"--patient: {error}") from None
    return {str(case["case"]): str(case["patient"]) for case in known}


def check_parts_apart(measured: Collection[str], fitted: Collection[str], patients: Mapping[str, str]) -> None:
    """Raise ValueError if a patient is measured and fitted to; warn if names look as if one might be.

    Args:
        measured: the names of the cases that are measured.
        fitted: the names of those that are fitted to.
        patients: of each case; empty if they are not known.
    """
    parts = {FITTED: fitted, MEASURED: measured}
    split = {
        name: [{"case": case} | ({"patient": patients[case]} if patients else {}) for case in cases]
        for name, cases in parts.items()
    }
    if patients:
        check_patients_apart(split)
    else:
        warn_of_one_patient(split, MEND)


def warn_of_unknown(cases: Collection[str], patients: Mapping[str, str]) -> None:
    """Warn if patients are not known and measured cases look as if some were of one."""
    if not patients:
        warn_of_several_cases(cases, MEND)
