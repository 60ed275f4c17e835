"""Case values: what is marked as best is surely better than every other, in the direction of the means."""

from __future__ import annotations

import json
from dataclasses import replace
from math import isnan, nan
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from written_runs import MANY, with_value, write_run

from calib_monai.bins import Bins
from calib_monai.measures import Measure, measure_of
from calib_monai.reports.case_intervals import ABOUT_FEW, ABOUT_NONE, intervals_table
from calib_monai.reports.case_values import Column, averaged_values, compared_values, marks_together, sure_marks
from calib_monai.reports.results import results_tables, shown_measures
from calib_monai.reports.run_files import read_run
from calib_monai.reports.runs import Run
from calib_monai.reports.table import BEST, SECOND

DICE, HD95 = measure_of("dice_foreground"), measure_of("hd95_mm")


@pytest.mark.parametrize("name", ["ece_plausible_pooled", "ece_plausible_debiased", "cece_plausible_debiased"])
def test_what_is_of_all_cases_together_has_no_interval_and_is_never_best(tmp_path: Path, name: str) -> None:
    runs = [read_run(write_run(tmp_path / folder, sharpness)) for folder, sharpness in (("one", 1.0), ("other", 9.0))]
    for run in runs:
        cases = json.loads((run.folder / "bins.json").read_text())["cases"].values()
        kind = "classes" if name.startswith("cece") else "top_label"
        bins = Bins.stack(Bins.from_dict(case[kind]) for case in cases)
        errors, voxels = bins.pooled_errors(debiased=name.endswith("debiased"))
        run.metrics[name] = (errors.sum(dim=0) / voxels.sum(dim=0)).mean().item()
    table = intervals_table(runs, shown_measures(runs))
    [cells] = [row for row in table.cells if row[0] == measure_of(name).title]
    assert cells[1:] == [measure_of(name).shown(run.metrics[name]) for run in runs]
    assert ABOUT_NONE in table.note
    assert best_of(runs, measure_of(name).title) == ["", ""]


def test_a_value_that_is_not_the_mean_of_its_cases_has_no_interval_and_is_never_best(tmp_path: Path) -> None:
    mine = {"mine": Measure("Mine", more_is_better=True)}
    runs = [
        replace(read_run(write_run(tmp_path / folder, 1.0, cases=MANY)), measures=mine) for folder in ("one", "other")
    ]
    for run, value in zip(runs, (0.4, 0.8), strict=True):
        with_value(run, "mine", value)
    assert dict(intervals_table(runs[1:], shown_measures(runs[1:])).cells)["Mine"].startswith("0.800 (")
    assert best_of(runs, "Mine") == ["", BEST]
    for run in runs:
        run.metrics["mine"] -= 0.3  # such as that of the worst case
    assert dict(intervals_table(runs[1:], shown_measures(runs[1:])).cells)["Mine"] == "0.500"
    assert best_of(runs, "Mine") == ["", ""]
    runs[1].metrics["mine"] = nan
    assert averaged_values(runs[1], "mine") == {}


def test_a_count_is_the_sum_of_its_cases_and_may_be_best(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / folder, 1.0, cases=MANY)) for folder in ("one", "other")]
    for run, missed in zip(runs, (0.0, 1.0), strict=True):
        for values in run.cases.values():
            values.update(missed_structures_left=missed, missed_structures_right=missed)
        run.metrics["missed_structures"] = 12 * missed
    assert best_of(runs, "missed structures") == [BEST, ""]


def best_of(runs: list[Run], title: str) -> list[str]:
    """The marks of a measure in the first table of results."""
    table = results_tables(runs)[0]
    return [row[table.header.index(title)] for row in table.marks]


def test_a_mark_needs_a_difference_that_other_cases_would_keep() -> None:
    first = {case: 0.9 + k / 100 for k, case in enumerate("abcdef")}
    like_it = {case: value - 0.1 - k % 2 / 100 for k, (case, value) in enumerate(first.items())}
    unsure = {case: value - 0.01 + 0.2 * (-1) ** k for k, (case, value) in enumerate(first.items())}
    assert sure_marks([0.925, 0.82], DICE, [first, like_it]) == [BEST, ""]
    assert sure_marks([0.925, 0.915], DICE, [first, unsure]) == ["", ""]
    assert sure_marks([0.925, 0.82], DICE, [first, {}]) == ["", ""]
    lowest = dict.fromkeys(first, 0.5)
    assert sure_marks([0.5, 0.925, 0.82], DICE, [lowest, first, like_it]) == ["", BEST, SECOND]
    assert sure_marks([0.9, 0.925, 0.82], DICE, [unsure, first, like_it]) == ["", "", ""]
    assert sure_marks([0.6, 0.925, 0.7], DICE, [unsure, {**dict.fromkeys(first, 2.0)}, like_it]) == ["", BEST, ""]


def test_a_run_that_is_worse_in_the_cases_of_both_is_never_best() -> None:
    names = [f"c{k}" for k in range(20)]
    right = {name: 5 + 0.1 * (k % 3) for k, name in enumerate(names[:18])} | dict.fromkeys(names[18:], nan)
    invents = {name: 4 + 0.1 * (k % 2) for k, name in enumerate(names[:18])} | dict.fromkeys(names[18:], 100.0)
    shown = [5.1, (18 * 4.05 + 200) / 20]
    assert sure_marks(shown, HD95, [right, invents]) == ["", ""]
    of_cases = [compared_values("hd95_mm", values) for values in (right, invents)]
    assert sure_marks(shown, HD95, of_cases) == ["", ""]
    assert sure_marks([0.9, 0.8], DICE, [{"a": 0.5, "b": 0.51}, {"a": 0.7, "b": 0.711}]) == ["", ""]


def test_a_distance_that_is_rightly_empty_is_as_good_as_can_be() -> None:
    assert compared_values("hd95_mm", {"a": nan, "b": 3.0}) == {"a": 0.0, "b": 3.0}
    assert isnan(compared_values("ece_plausible", {"a": nan, "b": 3.0})["a"])
    assert isnan(compared_values("asd_mm", {"a": nan})["a"])  # was not measured
    empty, invents = (dict.fromkeys("abcdef", value) | {"g": 5.0} for value in (nan, 90.0))
    of_cases = [compared_values("hd95_mm", values) for values in (empty, {**invents, "g": 95.0})]
    assert sure_marks([5.0, 90.71], HD95, of_cases) == [BEST, ""]


def test_the_best_is_surely_better_than_every_other_not_than_the_next_alone() -> None:
    best = {case: 0.80 + k / 100 for k, case in enumerate("abcdef")}
    next_best = {case: value - 0.01 - k / 10000 for k, (case, value) in enumerate(best.items())}
    wide = {case: value - 0.02 + 0.2 * (-1) ** k for k, (case, value) in enumerate(best.items())}
    assert sure_marks([0.825, 0.814, 0.805], DICE, [best, next_best, wide]) == ["", "", ""]
    assert sure_marks([0.825, 0.814, nan], DICE, [best, next_best, {}]) == [BEST, "", ""]


def columns_of_chance(seed: int, shift: float = 0.0) -> list[Column]:
    """Ten measures of two rows that differ by chance in twelve cases, and by `shift`."""
    generator = np.random.default_rng(seed)
    columns = []
    for _ in range(10):
        first = dict(enumerate(generator.normal(0.5, 0.1, 12).tolist()))
        second = {case: value + shift + generator.normal(0, 0.01) for case, value in first.items()}
        of_cases = [{f"c{case}": value for case, value in row.items()} for row in (first, second)]
        columns.append(Column(DICE, [fmean(row.values()) for row in of_cases], of_cases))
    return columns


def test_few_tables_of_equal_rows_have_a_mark_however_many_columns_they_have() -> None:
    tables = [columns_of_chance(seed) for seed in range(200)]
    marked = sum(any(map(any, marks_together(columns))) for columns in tables)
    alone = sum(any(any(sure_marks(one.values, one.measure, one.of_cases)) for one in columns) for columns in tables)
    assert alone > 0.25 * len(tables)  # nearly 1 - 0.95 ** 10
    assert marked < 0.09 * len(tables)
    assert marks_together(columns_of_chance(0, shift=0.05)) == [["", BEST]] * 10


def test_five_cases_that_agree_may_agree_by_chance_and_six_do_not(tmp_path: Path) -> None:
    for cases, mark, told in (("abcde", "", True), ("abcdef", BEST, False)):
        runs = [read_run(write_run(tmp_path / cases / folder, 1.0, cases=cases)) for folder in ("one", "other")]
        for run, dice in zip(runs, (0.8, 0.9), strict=True):
            with_value(run, "dice_foreground", dice)
            with_value(run, "nll_all", 1 - dice)
        table = results_tables(runs)[0]
        assert best_of(runs, "Dice") == ["", mark]
        assert ("by NLL over all voxels. Here it is lowest for other." in table.note) == bool(mark)
        assert ("Nothing is marked as best: in fewer than 6 patients" in table.note) == told
        assert "Nothing is marked" not in results_tables(runs[:1])[0].note


def test_patients_are_counted_where_cases_would_be_enough(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / name, 1.0, cases="abcdefghijkl")) for name in ("one", "other")]
    for run, dice in zip(runs, (0.8, 0.9), strict=True):
        with_value(run, "dice_foreground", dice)
    assert best_of(runs, "Dice") == ["", BEST]
    assert ABOUT_FEW not in intervals_table(runs, shown_measures(runs)).note
    few = [replace(run, patients=dict.fromkeys("abcdefgh", "Ada")) for run in runs]
    assert best_of(few, "Dice") == ["", ""]
    assert "Nothing is marked as best: in fewer than 6 patients" in results_tables(few)[0].note
    assert ABOUT_FEW in intervals_table(few, shown_measures(few)).note
