"""Images that are stored twice stay on one side of a split."""

from __future__ import annotations

from pathlib import Path

import pytest

from calib_monai.datalists.same_files import SAMPLE, with_copies_together
from calib_monai.datalists.splits import Case, patient_of, split_cases


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    """Twelve cases of two channels, all files of one size and with one middle, but for those of d."""
    found = []
    for letter in "abcdefghijkl":
        files = [tmp_path / f"{letter}_{channel}.nii" for channel in range(2)]
        for file in files:
            rest = b"" if letter == "d" else bytes(2 * SAMPLE)
            file.write_bytes(file.name.encode() + rest)
        found.append({"image": [str(file) for file in files], "case": letter})
    return found


def copy(cases: list[Case], source: str, target: str, channels: tuple[int, ...] = (0, 1)) -> None:
    images = {case["case"]: case["image"] for case in cases}
    for channel in channels:
        Path(images[target][channel]).write_bytes(Path(images[source][channel]).read_bytes())


def patients(cases: list[Case]) -> str:
    return "".join(patient_of(case) for case in with_copies_together(cases))


def test_cases_without_copies_stay_as_they_are(cases: list[Case]) -> None:
    copy(cases, "a", "b", channels=(0,))  # another second channel is another image
    assert with_copies_together(cases) == cases


def test_patients_with_copies_become_one_through_all_their_cases(cases: list[Case]) -> None:
    cases[8]["patient"] = "h"  # i is another scan of h
    copy(cases, "a", "e")
    copy(cases, "i", "b")
    copy(cases, "a", "h")
    assert patients(cases) == "aacdafgaajkl"


def test_each_fold_has_all_copies_in_one_set(cases: list[Case]) -> None:
    copy(cases, "c", "l")
    for fold in range(3):
        split = split_cases(with_copies_together(cases), (7, 2, 2), fold=fold)
        assert len([1 for part in split.values() if {"c", "l"} & {case["case"] for case in part}]) == 1


def test_what_is_no_file_is_not_compared(cases: list[Case], tmp_path: Path) -> None:
    cases[0]["image"] = str(tmp_path)
    cases[1]["image"] = str(tmp_path / "missing.nii")
    cases[2]["image"] = cases[2]["image"][0]
    assert with_copies_together(cases) == cases
