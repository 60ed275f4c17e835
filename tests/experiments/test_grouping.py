"""Grouping: only trials of the same cases and of trainings of their own make rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from written_runs import write_trial

from calib_monai.experiments.grouping import rows_of
from calib_monai.experiments.trial_files import read_trial


def test_trials_of_other_cases_of_the_same_names_are_not_compared(tmp_path: Path) -> None:
    trials = [read_trial(write_trial(tmp_path, name, [0.6, 0.7, 0.8])) for name in ("ce", "nacl")]
    for what, said in (("case_voxels", "a has 7 voxels in"), ("case_labels", "a has other labels in")):
        first, second = ({"a": 7}, {"a": 9}) if what == "case_voxels" else ({"a": "0" * 32}, {"a": "1" * 32})
        runs = [replace(trials[0].run, **{what: first}), replace(trials[1].run, **{what: second})]
        with pytest.raises(ValueError, match=said):
            rows_of([replace(trial, run=run) for trial, run in zip(trials, runs, strict=True)])


def test_a_copied_training_is_no_second_seed(tmp_path: Path) -> None:
    trials = [read_trial(write_trial(tmp_path, "ce", [0.6, 0.7, 0.8], seed=seed)) for seed in (0, 1)]
    assert rows_of(trials)
    runs = [replace(trial.run, weights="a") for trial in trials]
    with pytest.raises(ValueError, match=r"seed0.* and .*seed1_fold0/eval measured the same weights; a training"):
        rows_of([replace(trial, run=run) for trial, run in zip(trials, runs, strict=True)])


def test_a_measure_that_only_some_trainings_have_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    trials = [read_trial(write_trial(tmp_path, "ce", [0.6, 0.7, 0.8], seed=seed)) for seed in (0, 1)]
    lacking = {name: value for name, value in trials[1].run.metrics.items() if name != "dice_foreground"}
    for order in (1, -1):
        given = [trials[0], replace(trials[1], run=replace(trials[1].run, metrics=lacking))][::order]
        [row] = rows_of(given)
        assert "dice_foreground" not in row.run.metrics
        assert "ce is without dice_foreground, which only some of its trainings have" in caplog.text
