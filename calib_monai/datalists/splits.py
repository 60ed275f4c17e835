"""Splits: cases become training, validation and test sets, the same ones for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence

Case = dict[str, str]
Split = dict[str, list[Case]]

SPLITS = ("training", "validation", "test")


def split_cases(cases: Sequence[Case], counts: tuple[int, int, int], seed: int = 0) -> Split:
    """Cases of "training", "validation" and "test", drawn at random from the cases sorted by name.

    With as many cases as `counts` says, the sets have these sizes; with any other number they have
    these proportions, rounded to whole cases, at least one each.

    Args:
        cases: each with its name under "case".
        counts: published numbers of training, validation and test cases.
        seed: another seed gives another split.

    Returns:
        A list of cases for each of `SPLITS`, sorted by name.

    Raises:
        ValueError: fewer than three cases.

    Example:
        >>> cases = [{"case": name} for name in "abcdef"]
        >>> {name: len(part) for name, part in split_cases(cases, (4, 1, 1)).items()}
        {'training': 4, 'validation': 1, 'test': 1}
    """
    if len(cases) < len(SPLITS):
        raise ValueError(f"{len(cases)} case(s) found; at least 3 are needed to train, validate and test")
    shuffled = sorted(cases, key=lambda case: case["case"])
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - not for secrets
    _, validation, test = _sizes(len(cases), counts)
    parts = {
        "training": shuffled[validation + test :],
        "validation": shuffled[:validation],
        "test": shuffled[validation : validation + test],
    }
    return {name: sorted(part, key=lambda case: case["case"]) for name, part in parts.items()}


def _sizes(num_cases: int, counts: tuple[int, int, int]) -> tuple[int, int, int]:
    """`counts` scaled to `num_cases`; training takes what rounding leaves."""
    validation, test = (max(1, round(num_cases * count / sum(counts))) for count in counts[1:])
    return num_cases - validation - test, validation, test
