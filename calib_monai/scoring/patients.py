"""Patients of scored cases: which case is of whom, so that a patient counts once and is not in a fit and its test."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from calib_monai.datalists.patients import (
    check_patients_apart,
    warn_of_one_patient,
    warn_of_several_cases,
    with_patients,
)
from calib_monai.datalists.splits import Split
from calib_monai.scoring.pairs import Pair

FITTED, MEASURED = "--fit", "the measured cases"
CHECK = "check --patient, by which they are of several"
MEND = "say how patients are named, as --patient '{patient}_*'"

logger = logging.getLogger(__name__)


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
    """Raise ValueError if a patient is measured and fitted to; warn if names look as if one might be nevertheless.

    Args:
        measured: the names of the cases that are measured.
        fitted: the names of those that are fitted to.
        patients: of each case; empty if they are not known.
    """
    parts = {FITTED: fitted, MEASURED: measured}
    by_name: Split = {name: [{"case": case} for case in cases] for name, cases in parts.items()}
    if patients:
        check_patients_apart(
            {name: [{**one, "patient": patients[one["case"]]} for one in cases] for name, cases in by_name.items()}
        )
    warn_of_one_patient(by_name, CHECK if patients else MEND)


def tell_patients(cases: Collection[str], patients: Mapping[str, str]) -> None:
    """Log how many patients there are; warn if the names of several look as if they were one."""
    firsts = {patients.get(case, case): case for case in reversed(list(cases))}
    if patients:
        first = patients[next(iter(cases))]
        logger.info("%d case(s) are of %d patient(s), first %s", len(cases), len(firsts), first)
    warn_of_several_cases(sorted(firsts.values()), CHECK if patients else MEND)
