"""Given splits: the lists of a file are the sets, or the file is refused with what is wrong in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calib_monai.datalists.given_splits import given_split

DRAWN = {
    "training": [{"case": "p1_ED", "patient": "p1"}, {"case": "p1_ES", "patient": "p1"}, {"case": "a"}],
    "validation": [{"case": "b"}],
    "test": [{"case": "c"}, {"case": "d"}],
}


def given(folder: Path, **lists: Any) -> dict[str, list[str]]:
    """Names of the cases in each set of a file."""
    (folder / "mine.json").write_text(json.dumps(lists))
    split = given_split(folder / "mine.json", DRAWN)
    return {name: [case["case"] for case in cases] for name, cases in split.items()}


def test_a_file_gives_the_sets_by_cases_or_patients(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lists = {"training": ["d", "p1", "c"], "validation": ["a"], "test": ["b"]}
    sets = {"training": ["c", "d", "p1_ED", "p1_ES"], "validation": ["a"], "test": ["b"]}
    assert given(tmp_path, **lists) == sets
    assert (
        given(tmp_path, **sets, drawn_with={"split_seed": 0}, patients={"p1_ED": "p1"}) == sets
    )  # as training writes it
    assert not caplog.records


def test_cases_in_no_list_are_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert given(tmp_path, training=["a"], validation=["b"], test=["d"])["test"] == ["d"]
    assert "3 case(s) are in no list of" in caplog.text
    assert "first c" in caplog.text


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        (
            {"training": ["a", "x"], "validation": ["b"], "test": ["y"]},
            r"2 name\(s\) that no case .* first 'x' in training",
        ),
        ({"training": ["a", "b"], "validation": ["b"], "test": ["c"]}, "lists b in validation, and in training too"),
        ({"training": ["a", "a"], "validation": ["b"], "test": ["c"]}, "lists a in training, and twice"),
        ({"training": ["p1", "p1_ED"], "validation": ["b"], "test": ["c"]}, "lists p1_ED in training, and twice"),
        (
            {"training": ["p1_ED"], "validation": ["b"], "test": ["p1_ES"]},
            "patient p1 is in training with p1_ED and in",
        ),
        ({"training": ["a"], "validation": [], "test": ["c"]}, "validation must be a list of names, at least one"),
        ({"training": [1], "validation": ["b"], "test": ["c"]}, "training must be a list of names"),
        ({"training": "a", "validation": ["b"], "test": ["c"]}, "training must be a list of names"),
        (
            {"training": ["a"], "test": ["c"]},
            "must have the lists training, validation, test, and no other; it has test",
        ),
        ({"train": ["a"], "val": ["b"], "test": ["c"]}, "and no other; it has test, 'train', 'val'$"),
        ({"training\n": ["a"], "x" * 99: ["b"]}, rf"no other; it has 'training\\n', '{20 * 'x'}'$"),
        ({}, "has none of them"),
    ],
)
def test_a_file_that_does_not_fit_the_data_is_refused(lists: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"split .*mine\.json.*{said}|^{said}"):
        given(tmp_path, **lists)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    for content, said in ((None, "cannot be read: No such file"), ("{", "is no JSON"), ("[]", "has none of them")):
        if content is not None:
            (tmp_path / "mine.json").write_text(content)
        with pytest.raises(ValueError, match=f"split .*mine.json .*{said}"):
            given_split(tmp_path / "mine.json", DRAWN)
