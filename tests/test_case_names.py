"""Case names: none leads out of the folder of its case, and none is too long for a disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from monai.data import MetaTensor

from calib_monai.case_names import (
    MOST_BYTES,
    as_case_name,
    case_of,
    check_case_name,
    check_different,
    name_by_file,
    names_in,
)

GOOD = ["a", "benign (1)", "sub-01_T1w", "Müller #3 @x", "a.b", "BraTS19_CBICA_AAB_1", "x" * MOST_BYTES]
BAD = [
    "",
    ".",
    "..",
    "../x",
    "/x",
    "a/b",
    "a\\b",
    "..\\x",
    "C:x",
    "a\0b",
    "a\nb",
    "a\udcff",
    " a",
    "a ",
    ".a",
    "x" * 201,
    "é" * 101,
]


@pytest.mark.parametrize("name", GOOD)
def test_a_name_that_a_folder_can_have_is_kept(name: str) -> None:
    check_case_name(name)
    assert as_case_name(name) == name


@pytest.mark.parametrize("name", [*BAD, None, 7, ["a"]])
def test_any_other_is_refused_with_the_rule_in_one_short_line(name: object) -> None:
    with pytest.raises(
        ValueError, match=r"^a case is called .*; it must be a name that a folder can have: 1 to"
    ) as stop:
        check_case_name(name)
    assert len(str(stop.value)) < 300
    assert "\n" not in str(stop.value)


@pytest.mark.parametrize("name", ["label_colors.ctbl", "Label_Colors.txt"])
def test_the_name_of_a_file_beside_the_cases_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"a case is called '{name}'; a file beside the cases has this name"):
        check_case_name(name)
    assert as_case_name(name) == f"_{name}"


@pytest.mark.parametrize("text", [*BAD, "..", "…" * 99, "a" * 190 + " " * 50])
def test_a_text_is_made_a_name_that_can_be_written(text: str, tmp_path: Path) -> None:
    name = as_case_name(text)
    check_case_name(name)
    folder = tmp_path / name
    folder.mkdir()
    (folder / f".unfinished_4194304_{name}_confidence.nii.gz").touch()
    assert folder.resolve().parent == tmp_path.resolve()


def test_two_long_texts_do_not_become_one_name() -> None:
    assert as_case_name("x" * 300 + "1") != as_case_name("x" * 300 + "2")


@pytest.mark.parametrize(
    ("file", "name"),
    [("a/b.nii.gz", "b"), ("b.NII.GZ", "b"), ("b.c.mha", "b.c"), ("b", "b"), (" b .png", "b"), (".png", "_png")],
)
def test_a_case_is_called_by_its_file(file: str, name: str) -> None:
    assert name_by_file(file) == name


def test_a_series_is_called_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "study 1.2").mkdir()
    monkeypatch.chdir(tmp_path / "study 1.2")
    assert name_by_file(".") == name_by_file(tmp_path / "study 1.2") == "study 1.2"


def test_a_loaded_case_has_the_name_that_it_was_given_or_that_of_its_file() -> None:
    image = MetaTensor(torch.zeros(1), meta={"filename_or_obj": "/data/one.nii"})
    assert case_of({"image": image, "case": "two"}) == "two"
    assert case_of({"image": image}) == "one"
    assert case_of({"image": torch.zeros(1)}) == "case"
    with pytest.raises(ValueError, match=r"a case is called '\.\.'"):
        case_of({"image": image, "case": ".."})


def test_a_batch_has_the_names_of_its_cases_with_files_or_in_memory() -> None:
    image = MetaTensor(torch.zeros(2, 1, 4), meta={"filename_or_obj": ["/data/one.nii", "/data/two.nii"]})
    assert names_in({"image": image}) == ["one", "two"]
    assert names_in({"image": image, "case": ["a", "b"]}) == ["a", "b"]
    assert names_in({"image": MetaTensor(torch.zeros(2, 1, 4))}) == ["case", "case"]
    assert names_in({"image": torch.zeros(1, 1, 4)}) == ["case"]


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        ([], "the list of cases is empty"),
        (
            [{"image": "/a/image.nii.gz"}, {"image": ["/b/image.nii.gz"]}],
            "image.nii.gz and /b/image.nii.gz are both",
        ),
        ([{"image": "/a/one.nii.gz", "case": "x"}, {"image": "/b/x.nii.gz"}], "both of the case x; name each"),
        ([{"image": torch.zeros(1)}, {"image": torch.zeros(1)}], "an image in memory and an image in memory are both"),
    ],
)
def test_cases_that_would_be_written_to_one_place_are_refused(cases: list[dict[str, object]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_different(cases)


def test_cases_with_names_of_their_own_are_taken() -> None:
    check_different([{"image": "/a/image.nii.gz", "case": "a"}, {"image": "/b/image.nii.gz", "case": "b"}])
