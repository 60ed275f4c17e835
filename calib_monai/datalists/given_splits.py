"""Given splits: reads lists of training, validation and test cases from a file, and checks them against the data."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from calib_monai.datalists.patients import check_patients_apart
from calib_monai.datalists.split_files import BESIDE
from calib_monai.datalists.splits import SPLITS, Case, Split, patient_of
from calib_monai.whole_files import read_json

MOST_SHOWN = 20  # keys that are none, and characters of one

logger = logging.getLogger(__name__)


def given_split(path: Path, drawn: Split, mend: str = "") -> Split:
    """The cases of a data set in the sets of a file, sorted by name. Cases in no list are logged and left out.

    Args:
        path: a JSON file, `{"training": [NAME, ...], "validation": [NAME, ...], "test": [NAME, ...]}`, like the
            `split.json` of a training. A name belongs to a case, or to a patient and stands for all of their cases.
        drawn: all cases of the data set, in any sets.
        mend: the end of the message of a patient in two lists.

    Raises:
        ValueError: a file that cannot be read or holds something else, an empty list, a name that is not in the data, a
            case that is listed twice, or a patient in two lists.
    """
    cases = {str(case["case"]): case for of_set in drawn.values() for case in of_set}
    listed = _sets_of_cases(path, cases)
    split: dict[str, list[Case]] = {name: [] for name in SPLITS}
    for name, case in sorted(cases.items()):
        if name in listed:
            split[listed[name]].append(case)
    check_patients_apart(split, mend)
    left = sorted(cases.keys() - listed.keys())
    if left:
        logger.warning("%d case(s) are in no list of %s and are not used, first %s", len(left), path, left[0])
    return split


def _sets_of_cases(path: Path, cases: Mapping[str, Case]) -> dict[str, str]:
    """The set of each case that a file lists, by itself or by its patient; arguments and errors as in `given_split`."""
    of_patients: dict[str, list[str]] = {}
    for name, case in cases.items():
        of_patients.setdefault(patient_of(case), []).append(name)
    entries = [(entry, of_set) for of_set, names in read_lists(path).items() for entry in names]
    known = {*cases, *of_patients}
    unknown = [f"{entry!r} in {of_set}" for entry, of_set in entries if entry not in known]
    listed: dict[str, str] = {}
    for entry, of_set in entries:
        for name in [entry] if entry in cases else of_patients.get(entry, []):
            if name in listed:
                twice = "twice" if listed[name] == of_set else f"in {listed[name]} too"
                raise ValueError(f"split {path} lists {name} in {of_set}, and {twice}; a case must be in one list")
            listed[name] = of_set
    if unknown:
        raise ValueError(
            f"split {path} lists {len(unknown)} name(s) that no case or patient in dataset_dir has, first {unknown[0]}"
            f"; the {len(cases)} cases there have names such as {min(cases, default='')!r}"
        )
    return listed


def read_lists(path: Path) -> dict[str, list[str]]:
    """The names of each set in a file.

    Raises:
        ValueError: a file that cannot be read, or holds something else or an empty list.
    """
    content = read_json(path, "split")
    keys = set(content).difference(BESIDE) if isinstance(content, dict) else set()
    if keys != set(SPLITS):
        told = [key if key in SPLITS else repr(key[:MOST_SHOWN]) for key in sorted(keys)[:MOST_SHOWN]]
        given = f"has {', '.join(told)}" if keys else "has none of them"
        raise ValueError(f"split {path} must have the lists {', '.join(SPLITS)}, and no other; it {given}")
    for name in SPLITS:
        names = content[name]
        if not isinstance(names, list) or not names or not all(isinstance(entry, str) for entry in names):
            raise ValueError(f"split {path}: {name} must be a list of names, at least one, in quotation marks")
    return {name: content[name] for name in SPLITS}
