"""Selection: the rule on validation cases, what is written, and the table beside the test."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from written_runs import write_trial

from calib_monai.experiments.__main__ import main as lay_side_by_side
from calib_monai.experiments.selection import Candidate, chosen, main, read_selection

VALUES = {
    "nacl": (0.800, 0.030),
    "nacl-weight_0.2": (0.796, 0.020),  # within 0.005 of the best Dice, and of the lowest NLL there
    "nacl-weight_0.3": (0.790, 0.010),  # of the lowest NLL, and too far from the best Dice
    "svls": (0.801, 0.025),
}
NAMES = ["nacl", "nacl weight 0.2", "nacl weight 0.3", "svls"]


def written(out: Path, name: str, part: str = "validation") -> Path:
    """An evaluation of three cases with these means."""
    dice, nll = VALUES[name]
    evaluation = "eval_validation" if part == "validation" else "eval"
    spread = [dice - 0.1, dice, dice + 0.1]
    return write_trial(out, name, spread, nll=[nll] * 3, evaluation=evaluation, part=part)


@pytest.mark.parametrize(("each", "selected"), [(False, [1]), (True, [1, 3])], ids=["one", "each"])
def test_the_lowest_nll_near_the_best_dice_is_chosen(*, each: bool, selected: list[int], tmp_path: Path) -> None:
    out = tmp_path / "selected.json"
    folders = [str(written(tmp_path, name)) for name in VALUES]
    main([*folders, "--out", str(out), *["--each"] * each])
    found = read_selection(out)
    assert found["selected"] == [NAMES[place] for place in selected]
    assert list(found["candidates"]) == NAMES
    assert found["candidates"]["svls"] == pytest.approx({"nll_all": 0.025, "dice_foreground": 0.801, "method": "svls"})
    assert (found["num_cases"], found["seeds"], found["folds"]) == (3, [0], [0])


@pytest.mark.parametrize(
    ("dice", "nll", "wanted"),
    [
        ([0.9, 0.895], [2.0, 1.0], 1),  # exactly as far as allowed
        ([0.9, 0.8949], [2.0, 1.0], 0),
        ([0.9, 0.9], [1.0, 1.0], 0),  # of equal ones the first
    ],
)
def test_the_rule_at_its_edges(dice: list[float], nll: list[float], wanted: int) -> None:
    candidates = [Candidate(str(place), "nacl", *values) for place, values in enumerate(zip(nll, dice, strict=True))]
    assert chosen(candidates, each=True) == [candidates[wanted]]


def test_a_choice_by_test_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="seed0_fold0/eval is an evaluation of test cases; a choice by them"):
        main([str(written(tmp_path, "nacl", "test")), "--out", str(tmp_path / "selected.json")])
    folder = write_trial(tmp_path, "ce", [0.8], evaluation="eval_validation", part="validation")
    with pytest.raises(ValueError, match="eval_validation has no nll_all, by which a training is chosen"):
        main([str(folder), "--out", str(tmp_path / "selected.json")])
    assert not (tmp_path / "selected.json").exists()


def test_a_place_that_cannot_be_written_to_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place, said in (
        (str(tmp_path), "is a folder; it must be the JSON file to write"),
        (".", r"--out \. is a folder; it must be"),
        (str(tmp_path / "file" / "selected.json"), "nothing can be written to .*file is not a folder"),
    ):
        with pytest.raises(ValueError, match=said):
            main([str(tmp_path / "nothing"), "--out", place])


def test_a_choice_that_is_made_again_keeps_its_time(tmp_path: Path) -> None:
    out, line = tmp_path / "selected.json", [str(written(tmp_path, name)) for name in VALUES]
    main([*line, "--out", str(out)])
    early = json.loads(out.read_text()) | {"written": "2026-11-20T00:00:00+00:00"}
    out.write_text(json.dumps(early))
    main([*line, "--out", str(out)])
    assert json.loads(out.read_text()) == early
    main([*line[:2], "--out", str(out)])
    assert json.loads(out.read_text())["written"] > early["written"]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("time", "said"),
    [("2026-11-20T00:00:00+00:00", "The tests came later."), ("2026-11-24T00:00:00+00:00", "4 of 4 tests are older")],
)
def test_a_table_shows_both_and_says_which_came_first(time: str, said: str, tmp_path: Path) -> None:
    file, out = tmp_path / "selected.json", tmp_path / "tables"
    main([*(str(written(tmp_path, name)) for name in VALUES), "--out", str(file)])
    file.write_text(json.dumps(json.loads(file.read_text()) | {"written": time}))
    tested = [str(written(tmp_path, name, "test")) for name in VALUES]
    lay_side_by_side([*tested, "--out", str(out), "--selected", str(file)])
    text = re.sub(" +", " ", (out / "results.md").read_text())
    assert said in text
    assert "| **nacl weight 0.2** | **chosen** | 20.0 | 20.0 | 0.796 | 0.796 |" in text
    assert "| nacl weight 0.3 | | 10.0 | 10.0 | 0.790 | 0.790 |" in text
    assert json.loads((out / "results.json").read_text())["selection"]["selected"] == ["nacl weight 0.2"]
    with pytest.raises(ValueError, match="svls was a candidate, and is not among the trials: nacl, "):
        lay_side_by_side([*tested[:3], "--out", str(out), "--selected", str(file)])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"written": "yesterday"}, "written: Invalid isoformat string: 'yesterday'"),
        ({"written": "2026-11-20T00:00:00"}, "written: 2026-11-20T00:00:00 has no time zone"),
        ({"candidates": ["nacl"]}, "candidates: Input should be a valid dict"),
        ({"candidates": {"nacl": {"method": "nacl"}}}, "candidates.nacl.nll_all: Field required"),
        ({"selected": "nacl"}, "selected: Input should be a valid list"),
        ({"selected": ["mbls"]}, "mbls is selected, and no candidate"),
        ({"num_cases": None}, "num_cases: Input should be a valid integer"),
    ],
)
def test_a_choice_that_was_damaged_is_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    file = tmp_path / "selected.json"
    main([str(written(tmp_path, "nacl")), "--out", str(file)])
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ValueError, match=rf"selected.json is damaged \({said}.*\): remove it, and choose again"):
        read_selection(file)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"rule": "mine"}'])
def test_a_file_that_holds_no_choice_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "selected.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"selected\.json (is no JSON|holds no choice of trainings)"):
        read_selection(file)
