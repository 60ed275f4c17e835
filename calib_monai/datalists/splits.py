"""Splits: divides cases into training, validation and test sets, reproducibly by a seed."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

from calib_monai.arguments import check_share, check_whole

Case = dict[str, Any]
Split = dict[str, list[Case]]

SPLITS = ("training", "validation", "test")


class PartialSplit(Split):
    """A split that leaves out cases which another value of an option would take.

    Attributes:
        left_out: the files of these cases.
    """

    def __init__(self, split: Split, left_out: Iterable[str]) -> None:
        super().__init__(split)
        self.left_out = frozenset(left_out)


def split_cases(cases: Sequence[Case], counts: tuple[int, int, int], seed: int = 0, fold: int | None = 0) -> Split:
    """Cases of "training", "validation" and "test", drawn at random from the patients sorted by name.

    If the number of patients is the sum of `counts`, the sets have these sizes. Otherwise they have the same
    proportions, rounded to whole patients, with at least one patient each. All cases of a patient are in one set.

    Args:
        cases: cases with a name under "case", and with the patient under "patient" if patients have several cases.
        counts: published numbers of training, validation and test patients.
        seed: another seed gives another split.
        fold: of a cross-validation with this seed. Each patient is tested in exactly one fold, so the last fold may
            test fewer. None tests all cases.

    Returns:
        A list of cases for each of `SPLITS`, sorted by name.

    Raises:
        ValueError: fewer than three patients, a `fold` that is left with no patient to test, or no whole numbers.

    Examples:
        >>> cases = [{"case": name} for name in "abcdef"]
        >>> {name: len(part) for name, part in split_cases(cases, (4, 1, 1)).items()}
        {'training': 4, 'validation': 1, 'test': 1}
    """
    if fold is None:
        return {"training": [], "validation": [], "test": sorted(cases, key=_name_of)}
    for name, value in (("seed", seed), ("fold", fold)):
        check_whole(name, value, 0)
    patients = sorted({patient_of(case) for case in cases})
    if len(patients) < len(SPLITS):
        whose = f" of {len(patients)} patient(s), {', '.join(patients)}," if len(patients) < len(cases) else ""
        raise ValueError(f"{len(cases)} case(s){whose} found; at least 3 are needed to train, validate and test")
    random.Random(seed).shuffle(patients)  # noqa: S311 - not for secrets
    validation, test = (max(1, round(len(patients) * count / sum(counts))) for count in counts[1:])
    first = range(0, len(patients), test)  # how many patients earlier folds have tested
    if fold not in range(len(first)):
        raise ValueError(
            f"fold is {fold}; {len(patients)} cases or patients, {test} in each test set, make {len(first)} folds: "
            f"0 to {len(first) - 1}"
        )
    patients = patients[first[fold] :] + patients[: first[fold]]
    test = min(test, len(patients) - first[fold])
    parts = {
        "training": set(patients[validation + test :]),
        "validation": set(patients[:validation]),
        "test": set(patients[validation : validation + test]),
    }
    ordered = sorted(cases, key=_name_of)
    return {name: [case for case in ordered if patient_of(case) in part] for name, part in parts.items()}


def fewer_cases(cases: Sequence[Case], fraction: float, seed: int = 0) -> list[Case]:
    """The cases of a share of the patients, rounded, at least one patient; a larger share holds all smaller ones.

    Args:
        cases: as in `split_cases`.
        fraction: share of the patients, above 0 and at most 1.
        seed: another seed takes other patients.

    Raises:
        ValueError: another `fraction`.
    """
    check_share("train_fraction", fraction, one=True)
    patients = sorted({patient_of(case) for case in cases})
    random.Random(seed).shuffle(patients)  # noqa: S311 - not for secrets
    kept = set(patients[: max(1, round(fraction * len(patients)))])
    return [case for case in cases if patient_of(case) in kept]


def patient_of(case: Case) -> str:
    """The patient of a case."""
    return str(case.get("patient", case["case"]))


def _name_of(case: Case) -> str:
    """The name of a case, by which cases are sorted."""
    return str(case["case"])
