"""Case values: means have intervals over cases, and what is marked as best would be it in other cases, too."""

from __future__ import annotations

from pathlib import Path

import pytest
from written_runs import with_value, write_run

from calib_monai.bins import Bins
from calib_monai.measures import measure_of
from calib_monai.reports.case_values import ABOUT_CHANCE, ABOUT_FEW, case_values, intervals_table, sure_marks
from calib_monai.reports.results import shown_measures
from calib_monai.reports.runs import read_run
from calib_monai.reports.table import BEST, SECOND

DICE = measure_of("dice_foreground")


def test_the_cases_of_a_pooled_error_have_its_value_as_their_mean(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    run.metrics["ece_plausible_pooled"] = run.bins.expected_calibration_error().item()
    run.metrics["cece_plausible_pooled"] = run.class_bins.expected_calibration_error().mean().item()
    errors, voxels = Bins.stack(run.case_bins.values()).pooled_errors(debiased=True)
    run.metrics["ece_plausible_debiased"] = (errors.sum() / voxels.sum()).item()
    for name in ("ece_plausible_pooled", "cece_plausible_pooled", "ece_plausible_debiased"):
        values = case_values(run, name)
        assert sum(values.values()) / 3 == pytest.approx(run.metrics[name])
        assert len(set(values.values())) == 3
    run.metrics["ece_plausible_pooled"] = 0.5  # of other bins
    assert case_values(run, "ece_plausible_pooled") == case_values(run, "ece_union_pooled") == {}


def test_the_report_says_an_interval_of_each_measure(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    with_value(run, "hd95_mm", 1.5)
    run.metrics.update(missed_structures=2, ece_plausible_debiased=0.01)
    table = intervals_table([run], shown_measures([run]))
    assert table.header == ["", "run"]
    assert dict(table.cells)["HD95 (mm)"] == "1.50 (1.48 to 1.52)"
    assert dict(table.cells)["ECE, plausible, debiased"] == "0.010"  # not of the bins that were kept
    assert "missed structures" not in dict(table.cells)
    assert ABOUT_FEW in table.note
    assert ABOUT_CHANCE in table.note


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
