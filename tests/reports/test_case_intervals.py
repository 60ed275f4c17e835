"""Case intervals: means over cases have them where they hold, and the note says what they are worth."""

from __future__ import annotations

from dataclasses import replace
from math import isnan, nan
from pathlib import Path

import pytest
from written_runs import with_value, write_run

from calib_monai.intervals import mean_interval
from calib_monai.reports.case_intervals import (
    ABOUT_CHANCE,
    ABOUT_DISTANCES,
    ABOUT_FEW,
    ABOUT_ONE_TRAINING,
    any_missed,
    interval_of,
    intervals_table,
)
from calib_monai.reports.results import shown_measures
from calib_monai.reports.run_files import read_run
from calib_monai.reports.runs import Run


def test_the_report_says_an_interval_of_each_measure(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    with_value(run, "hd95_mm", 1.5)
    run.metrics.update(missed_structures=2, ece_plausible_debiased=0.01)
    table = intervals_table([run], shown_measures([run]))
    assert table.header == ["", "run"]
    assert dict(table.cells)["HD95 (mm)"] == "1.50 (1.48 to 1.52)"
    assert dict(table.cells)["ECE, plausible, debiased"] == "0.010"
    assert "missed structures" not in dict(table.cells)
    assert ABOUT_FEW in table.note
    assert ABOUT_CHANCE in table.note
    assert ABOUT_ONE_TRAINING in table.note


def test_the_note_counts_patients_who_have_several_cases(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    assert "patients." not in intervals_table([run], shown_measures([run])).note
    run = replace(run, patients={"a": "Ada", "b": "Ada"})
    assert "The 3 cases are of 2 patients." in intervals_table([run], shown_measures([run])).note


def of_twenty(tmp_path: Path, distances: list[float]) -> Run:
    """A run of twenty cases with a Dice each, and of these distances, one a case."""
    run = read_run(write_run(tmp_path / "run", 1.0))
    row = run.cases["a"]
    cases = {f"c{k}": {**row, "dice_foreground_left": 0.8 + k / 100, "hd95_mm": d} for k, d in enumerate(distances)}
    run.cases.clear()
    run.cases.update(cases)
    known = [value for value in distances if not isnan(value)]
    run.metrics.update(dice_foreground=0.895, ece_plausible=0.1, hd95_mm=sum(known) / len(known))
    return run


def test_an_interval_of_few_known_values_is_rough_and_has_no_distance_below_0(tmp_path: Path) -> None:
    table = intervals_table([run := of_twenty(tmp_path, [5.0, 6.0] + 18 * [nan])], shown_measures([run]))
    assert dict(table.cells)["HD95 (mm)"] == "5.50 (0.00 to 11.85)"
    assert "Those of HD95 (mm) are rough, because fewer than 10 patients have a value." in table.note
    assert ABOUT_FEW not in table.note
    assert ABOUT_DISTANCES in table.note


def test_a_distance_has_no_interval_where_a_structure_was_missed(tmp_path: Path) -> None:
    run = of_twenty(tmp_path, [2.0 + k / 10 for k in range(19)] + [100.0])
    assert "(" in dict(intervals_table([run], shown_measures([run])).cells)["HD95 (mm)"]
    run.metrics["missed_structures"] = 0.0
    for row in run.cases.values():
        row["missed_structures_left"] = 0.0
    for column, value in (("missed_structures_left", 1.0), ("dice_foreground_left", 0.0)):
        assert any_missed(replace(run, cases={**run.cases, "c19": {**run.cases["c19"], column: value}}))
    assert not any_missed(run)
    for own in ("dice_of_my_own", "missed_structures_of_my_own"):  # that says nothing of structures by its name
        row = {own: 0.0 if own.startswith("dice") else 1.0}
        others = {case: {**values, **row} for case, values in run.cases.items()}
        assert not any_missed(replace(run, metrics={**run.metrics, own: 1.0}, cases=others))
    run.cases["c19"]["missed_structures_left"] = 1.0
    shown = dict(intervals_table([run], shown_measures([run])).cells)
    assert "(" not in shown["HD95 (mm)"]
    assert "(" in shown["Dice"]


def test_an_interval_ends_where_the_values_of_its_measure_do() -> None:
    assert interval_of("dice_foreground", [0.9, 1.0, 0.99], missed=True)[1] == 1.0
    assert interval_of("ece_plausible", [0.01, 0.05], missed=False)[0] == 0.0
    percent = [90.0, 100.0, 99.0]  # a metric of one's own that is called so
    for name in ("dice_percent", "mine"):
        assert interval_of(name, percent, missed=False) == pytest.approx(mean_interval(percent))


@pytest.mark.parametrize("values", [[1.0] * 6, [0.1] * 3, [0.0, nan, 0.0]])
def test_cases_that_are_all_alike_have_no_interval(values: list[float]) -> None:
    assert isnan(interval_of("covered_volumes", values, missed=False)[0])
