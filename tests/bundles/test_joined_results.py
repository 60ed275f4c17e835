"""Trials of several tables in one: scripts/join_results.py."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import join_results
import pytest
from pages import REPOSITORY, commands_of

PAGE = REPOSITORY / "results" / "README.md"


def write_table(folder: Path, trials: dict[str, dict[int, list[float | None]]], **options: str) -> Path:
    """A results.json of methods, seeds and the Dice of each case; NLL and ECE are 0.1."""
    folder.mkdir()
    rows = {
        method: {
            "options": options,
            "trials": [
                {"seed": seed, "fold": 0, "cases": {f"case_{place}": of_case(dice) for place, dice in enumerate(row)}}
                for seed, row in of_seeds.items()
            ],
        }
        for method, of_seeds in trials.items()
    }
    (folder / "results.json").write_text(json.dumps({"dataset": "hippocampus", "rows": rows, "patients": {}}))
    return folder


def of_case(dice: float | None) -> dict[str, float | None]:
    return {"dice_foreground": dice, "nll_all": 0.1, "ece_foreground": 0.1}


@pytest.mark.parametrize("reference", ["dice_ce", "ce"])
def test_the_page_of_results_has_what_the_command_prints(
    reference: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPOSITORY)
    of_seeds = [one for one in commands_of(PAGE) if "join_results" in one and "volumes_seeds" in one]
    [command] = [one for one in of_seeds if one.endswith(f"--reference {reference}")]
    monkeypatch.setattr("sys.argv", shlex.split(command)[1:])
    join_results.main()
    assert capsys.readouterr().out in PAGE.read_text(encoding="utf-8")


def test_seeds_of_two_tables_are_one_row(tmp_path: Path) -> None:
    first = write_table(tmp_path / "first", {"ce": {0: [0.5, 0.7]}, "nacl": {0: [0.4, 0.4]}})
    second = write_table(tmp_path / "second", {"ce": {0: [0.5, 0.7], 1: [0.3, 0.3]}})
    trials, patients = join_results.joined([first, second])
    assert patients == ["case_0", "case_1"]
    lines = join_results.values_table(trials)
    assert lines[2:] == [
        "| `ce` | 0, 1 | 0.600, 0.300 | 100.0, 100.0 | 0.100, 0.100 |",
        "| `nacl` | 0 | 0.400 | 100.0 | 0.100 |",
    ]
    assert join_results.differences_table(trials, patients, "ce")[2].startswith("| `nacl` | Dice | -0.050 |")


def test_trials_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    first = write_table(tmp_path / "first", {"ce": {0: [0.5, 0.7]}})
    other = write_table(tmp_path / "other", {"ce": {0: [0.5, 0.6]}})
    with pytest.raises(ValueError, match="ce, seed 0 has other values in another table"):
        join_results.joined([first, other])
    longer = write_table(tmp_path / "longer", {"ce": {1: [0.5, 0.6]}}, epochs="40")
    with pytest.raises(ValueError, match="longer: ce was trained with other options in another table: epochs"):
        join_results.joined([first, longer])
    (tmp_path / "results.json").write_text('{"dataset": "hippocampus", "rows": {"ce": {}}, "patients": {}}')
    with pytest.raises(ValueError, match=r"results.json is damaged \(rows.ce.options: Field required\): give the"):
        join_results.joined([tmp_path])
    fewer = write_table(tmp_path / "fewer", {"ce": {1: [0.5]}})
    with pytest.raises(ValueError, match="ce, seed 1 tested other cases than the first trial"):
        join_results.joined([first, fewer])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"hippocampus"', '"acdc"', "second is of acdc, and .*first of hippocampus"),
        ('"patients": {}', '"patients": {"case_0": "a"}', "second has other patients of the cases than .*first"),
        (', "nll_all": 0.1', "", "nacl, seed 0 has a case without one of dice_foreground, nll_all"),
    ],
)
def test_tables_of_something_else_are_refused(old: str, new: str, said: str, tmp_path: Path) -> None:
    first = write_table(tmp_path / "first", {"ce": {0: [0.5, 0.7]}})
    second = write_table(tmp_path / "second", {"nacl": {0: [0.5, 0.7]}})
    file = second / "results.json"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(ValueError, match=said):
        join_results.joined([first, second])


def test_a_case_without_a_value_is_left_out_of_a_mean(tmp_path: Path) -> None:
    trials, _ = join_results.joined([write_table(tmp_path / "one", {"ce": {0: [0.5, 0.7, None]}})])
    assert join_results.values_table(trials)[2] == "| `ce` | 0 | 0.600 | 100.0 | 0.100 |"
