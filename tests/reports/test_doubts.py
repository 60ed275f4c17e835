"""Doubts: the report says which cases a person should look at."""

from __future__ import annotations

import json
from math import nan
from pathlib import Path

import pytest
from written_runs import with_value, write_run

from calib_monai.reports.doubts import doubtful_first, doubts_figure, doubts_table, with_expected
from calib_monai.reports.report import drawn, write_report
from calib_monai.reports.run_files import read_run
from calib_monai.reports.runs import Run


def doubted(folder: Path, expected: tuple[float, ...] = (0.9, 0.6, 0.7)) -> Run:
    """A run of three cases that expects these Dice."""
    run = read_run(write_run(folder, 1.0))
    with_value(run, "expected_dice", 0.5)
    for case, value in zip(run.cases, expected, strict=True):
        run.cases[case]["expected_dice"] = value
    return run


def test_the_table_has_both_orders_and_names_the_cases_to_look_at(tmp_path: Path) -> None:
    run = doubted(tmp_path / "run")
    for case, value in zip("abc", (0.8, 0.4, 0.6), strict=True):
        run.cases[case]["dice_foreground_left"] = value
    table = doubts_table([run])
    assert table is not None
    assert table.cells[0][:2] == ["run", "0.300"]  # 0.2, 0.3, 0.4: the best order
    assert table.cells[0][3:] == ["0.300", "0.400"]
    assert table.listed == ["run: b (0.600), c (0.700), a (0.900)"]
    assert doubtful_first(doubted(tmp_path / "nan", (0.9, 0.6, nan))) == ["c", "b", "a"]


def test_a_case_with_a_structure_that_is_not_found_comes_first_and_is_the_least_sure(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    run.metrics["expected_dice"] = 0.9
    of_cases = {"a": (0.92, 0.9, 0.9), "b": (0.97, nan, 0.5), "c": (0.8, 0.8, 0.8)}  # expected of both, true
    for case, (left, right, dice) in of_cases.items():
        run.cases[case] |= {"expected_dice_left": left, "expected_dice_right": right, "dice_foreground_left": dice}
    assert doubtful_first(run) == ["b", "c", "a"]
    table = doubts_table([run])
    assert table is not None
    assert table.cells[0][1] == table.cells[0][3] == "0.172"  # 0.1, 0.15, 0.267: the best order
    assert table.listed == ["run: b (-), c (0.800), a (0.910)"]


@pytest.mark.usefixtures("undrawn")
def test_the_figure_names_cases_and_is_on_the_page(tmp_path: Path) -> None:
    run = doubted(tmp_path / "run")
    legend = doubts_figure([run]).axes[0].get_legend()
    assert legend is not None
    told = [f"{number}: {case}" for number, case in enumerate(doubtful_first(run), 1)]
    assert [text.get_text() for text in legend.get_texts()] == told
    write_report([run], tmp_path / "report")
    assert (tmp_path / "report" / "doubts.png").is_file()
    assert len(drawn(doubts_figure, [run])) > 5000
    assert "Expected and true Dice" in (tmp_path / "report" / "report.html").read_text()


def test_a_run_without_expected_dice_has_neither(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    assert doubts_table([run]) is None
    assert with_expected([run]) == []


def test_of_an_ensemble_the_dice_between_members_is_compared_and_names_cases_too(tmp_path: Path) -> None:
    single, run = doubted(tmp_path / "single"), doubted(tmp_path / "run")
    for case, value, between in zip("abc", (0.8, 0.4, 0.6), (0.9, nan, 0.7), strict=True):
        run.cases[case]["dice_foreground_left"] = value
        run.cases[case]["pairwise_dice"] = between
    run.metrics["pairwise_dice"] = 0.8
    table = doubts_table([single, run])
    assert table is not None
    assert table.header[3] == "by Dice between members"
    assert [row[3] for row in table.cells] == ["-", "0.300"]
    assert "The Dice between members compares the segmentations of each pair of members" in table.note
    assert "run: 3 cases are too few to tell which confidence is better." in table.note
    assert table.listed[-1] == "run, lowest Dice between members: b (-), c (0.700), a (0.900)"
    alone = doubts_table([single])
    assert alone is not None
    assert "members" not in " ".join([*alone.header, alone.note, *alone.listed])


def test_the_areas_are_those_that_the_evaluation_noted(tmp_path: Path) -> None:
    file = write_run(tmp_path / "run", 1.0) / "summary.json"
    noted = {"num_cases": 3, "expected_dice": 0.123, "mean_confidence": None, "best": 0.1, "by_chance": 0.2}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"aurc": noted}))
    run = read_run(file.parent)
    with_value(run, "expected_dice", 0.5)
    table = doubts_table([run])
    assert table is not None
    assert table.cells[0][1:] == ["0.123", "-", "0.100", "0.200"]


@pytest.mark.parametrize(
    ("noise", "said", "listed"),
    [
        (0.0, "expected Dice is surely better than mean confidence", "run: "),
        (9.0, "chance may explain the difference of these confidences", "run (may be no better than chance): "),
    ],
)
def test_the_note_says_which_confidence_is_surely_better(noise: float, said: str, listed: str, tmp_path: Path) -> None:
    cases = "abcdefghijklmnopqrstuvwxyz"
    run = read_run(write_run(tmp_path / "run", 1.0, cases=cases))
    run.metrics["expected_dice"] = 0.5
    for place, case in enumerate(cases):
        wrong = noise * (place * 7 % 26) / 26
        run.cases[case]["expected_dice"] = run.cases[case]["dice_foreground_left"] + wrong
    table = doubts_table([run])
    assert table is not None
    assert said in table.note
    assert table.listed[0].startswith(listed)


def test_the_cases_to_look_at_are_those_of_the_order_that_is_surely_better(tmp_path: Path) -> None:
    cases = "abcdefghijklmnopqrstuvwxyz"
    run = read_run(write_run(tmp_path / "run", 1.0, cases=cases))
    run.metrics.update(expected_dice=0.5, pairwise_dice=0.5)
    for place, case in enumerate(cases):
        dice = 1 - place / 30
        run.cases[case] |= {"dice_foreground_left": dice, "expected_dice": 1 - dice, "pairwise_dice": dice}
    table = doubts_table([run])
    assert table is not None
    assert "Dice between members is surely better than" in table.note
    assert table.listed == ["run, lowest Dice between members: z (0.167), y (0.200), x (0.233), w (0.267), v (0.300)"]
