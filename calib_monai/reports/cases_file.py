"""Reads and checks `cases.csv`, which holds the values of each case of an evaluation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from calib_monai.whole_files import read_csv

NAME = "cases.csv"
PATIENT = "patient"  # a column of names


def read_cases(
    folder: Path, num_cases: int, others: Collection[str]
) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """The values of each case, named by metric and class, and the patient of each case, if that is known.

    Args:
        folder: the folder of the evaluation.
        num_cases: the number of cases in `summary.json`.
        others: the names of the cases in `bins.json`.

    Raises:
        ValueError: the file is not whole, or has other cases than `summary.json` and `bins.json`.
    """
    text = (folder / NAME).read_text(encoding="utf-8")
    rows = read_csv(text)
    if not rows or not text.endswith("\n"):
        raise ValueError(f"{NAME} {'broke off in a line' if rows else 'has no case'}")
    if len(rows) != num_cases:
        raise ValueError(f"{NAME} has {len(rows)} row(s) and summary.json says {num_cases} case(s)")
    if any("case" not in row for row in rows):
        raise ValueError(f"{NAME} has no column of cases")
    names = [row["case"] for row in rows]
    [(most, count)] = Counter(names).most_common(1)
    if count > 1:
        raise ValueError(f"{NAME} has {count} rows of {most}")
    if set(names) != set(others):
        [first, *_] = sorted(set(names) ^ set(others))
        raise ValueError(f"{NAME} and bins.json have other cases: only one of them has {first}")
    patients = {row["case"]: patient for row in rows if (patient := row.pop(PATIENT, ""))}
    values = {row.pop("case"): {name: float(value) for name, value in row.items()} for row in rows}
    return values, patients


def columns_of(measure: str, measures: Iterable[str], columns: Iterable[str]) -> list[str]:
    """The columns of `cases.csv` that belong to a measure.

    Columns of a measure with a longer name are not among them: `hd95_mm_regions_et` does not belong to `hd95_mm`.

    Args:
        measure: the name of the measure.
        measures: the names of all measures.
        columns: the names of all columns.
    """
    longer = [other for other in measures if other.startswith(f"{measure}_")]
    return [name for name in columns if _is_of(name, measure) and not any(_is_of(name, other) for other in longer)]


def _is_of(column: str, measure: str) -> bool:
    """Whether a column is called by a measure, or by it and a class."""
    return column == measure or column.startswith(f"{measure}_")
