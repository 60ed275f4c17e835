"""Patients: finds the patient of each case, so that no patient is in both training and test."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from calib_monai.datalists.splits import Case, Split, patient_of

# Words of a name that tell when, or how, a patient was scanned, or which side, view, slice or picture it is.
OCCASION = re.compile(
    r"""(?<![^\W\d_])(?:                                              # no letter before
      e[ds]|(?:end)?-?(?:dia|sys)tol(?:e|ic)|                         # phases of the heart
      (?:phase|frame|time|tp|t|visit|v|ses|session|scan|run|week|month|day|year|exam|m|d|w)-?\d+|
      (?:arterial|portal|venous|delayed|native)(?:phase)?|ap|pvp|     # of contrast
      left|right|(?<=[\W_])[lr]|o[ds]|(?<=[\W_])[lr]-?(?:cc|mlo|ml|lm|xccl)|cc|mlo|  # sides, eyes, views of a breast
      (?:slice|slc|sl|image|img|view)-?\d+|(?<=\bim-\d{4}-)\d+|          # pictures of a volume
      (?:re-?)?(?:test|scan)|
      inspiration|expiration|pre(?:op)?|post(?:op)?|baseline|follow-?up\d*|fu\d*|prior|current|
      (?<!\d)(?:19|20)\d\d(?:[-.]?[01]\d(?:[-.]?[0-3]\d)?)?                  # a year, a month, a day
    )(?![^\W_])""",
    re.IGNORECASE | re.VERBOSE,
)
SEPARATORS = re.compile(r"[\W_]+")
MOST_OF_ONE = 20  # cases of a patient: names that more of them share are a numbering
GROUPS = re.compile(r"(\{patient\}|\*)")
IN_A_DATALIST = 'let the data set\'s datalist say how patients are named, as "patient": "{patient}_*"'

logger = logging.getLogger(__name__)


def with_patients(cases: Sequence[Case], dataset_dir: str, pattern: str) -> list[Case]:
    """The cases with the name of their "patient"; a warning says if all are of one.

    Args:
        cases: each with its name under "case" and the path of its "label".
        dataset_dir: the folder that they lie in.
        pattern: a pattern for the case's name or, if it holds a "/", for the path of its label inside the folder.
            `{patient}` matches the shortest possible text, `*` any text.

    Raises:
        ValueError: a pattern without `{patient}`, or a case that it does not fit.
    """
    if not isinstance(pattern, str) or "{patient}" not in pattern:
        raise ValueError(f"the pattern {pattern!r} must name the patient: put {{patient}} where the name stands")
    found = []
    for case in cases:
        label = case["label"] if isinstance(case["label"], str) else case["label"][0]
        inside = Path(label).relative_to(dataset_dir).as_posix() if "/" in pattern else case["case"]
        match = _expression(pattern.replace("{case}", case["case"])).fullmatch(inside)
        if not match:
            raise ValueError(f"the pattern {pattern!r} of the patient does not fit {inside}")
        found.append({**case, "patient": match["patient"]})
    if len(found) > len({case["patient"] for case in found}) == 1:
        logger.warning(
            "all %d cases are of one patient, %s, by the pattern %s: without others no interval is known; check it",
            *(len(found), found[0]["patient"], pattern),
        )
    return found


def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern as a regular expression with the group `patient`."""
    parts = GROUPS.split(pattern)
    first = parts.index("{patient}")
    written = [
        "(?P<patient>[^/]+?)"
        if place == first
        else "(?P=patient)"
        if part == "{patient}"
        else "[^/]*"
        if part == "*"
        else re.escape(part)
        for place, part in enumerate(parts)
    ]
    return re.compile("".join(written))


def warn_of_one_patient(split: Split, mend: str = IN_A_DATALIST) -> None:
    """Warn if two cases in different sets have names that differ only in words such as a phase, a date or a side.

    Cases with a known patient are not checked. `mend` ends the warning.
    """
    cases = [(name, str(case["case"])) for name, of_set in split.items() for case in of_set if "patient" not in case]
    firsts = [dict(found[::-1]) for found in _named_alike(cases)]
    shared = [of_sets for of_sets in firsts if len(of_sets) > 1]
    if shared:
        told = " and ".join(f"{case} ({name})" for name, case in reversed(shared[0].items()))
        logger.warning(
            "%d patient(s) may have cases in more than one set, first %s: if these are of one patient, %s",
            *(len(shared), told, mend),
        )


def warn_of_several_cases(cases: Iterable[str], mend: str) -> None:
    """Warn if the names of cases differ only in words such as a phase or a side: intervals would be too narrow.

    Args:
        cases: their names; their patients are not known.
        mend: how to name the patients.
    """
    shared = [found for found in _named_alike([("", case) for case in cases]) if len(found) > 1]
    if shared:
        told = " and ".join(case for _, case in shared[0][:2])
        logger.warning(
            "%d patient(s) may have several cases, first %s, and each case counts as a patient: if these are of one "
            "patient, %s",
            *(len(shared), told, mend),
        )


def _named_alike(cases: Iterable[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Sets and names of cases, those together whose names differ only in words of `OCCASION`; empty if all do."""
    alike: dict[str, list[tuple[str, str]]] = {}
    for of_set, case in cases:
        alike.setdefault(SEPARATORS.sub(" ", OCCASION.sub("", case)).strip(), []).append((of_set, case))
    return [found for rest, found in alike.items() if rest and len(found) <= MOST_OF_ONE] if len(alike) > 1 else []


def check_patients_apart(split: Split, mend: str = "") -> None:
    """Raise ValueError if a patient has cases in two sets; `mend` ends the message."""
    seen: dict[str, tuple[str, str]] = {}
    for name, cases in split.items():
        for case in cases:
            other, of_other = seen.setdefault(patient_of(case), (name, str(case["case"])))
            if other != name:
                raise ValueError(
                    f"patient {patient_of(case)} is in {other} with {of_other} and in {name} with {case['case']}; all "
                    f"cases of a patient must be in one list{mend}"
                )
