"""Trials: promises of volumes and margins are shown only where all trials have them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from written_runs import write_trial

from calib_monai.experiments.grouping import rows_of
from calib_monai.experiments.trial_files import read_trial


def test_promises_are_shown_where_all_trials_have_them(tmp_path: Path) -> None:
    trials = [read_trial(write_trial(tmp_path, "ce", [0.70, 0.80, 0.90], seed=seed)) for seed in (0, 1)]
    promised = [
        replace(
            trial,
            run=replace(
                trial.run,
                metrics=trial.run.metrics | {"covered_volumes": 0.9},
                settings={"covered_volumes": {"coverage": 0.9, "validation_cases": 25 + trial.seed}},
            ),
        )
        for trial in trials
    ]
    assert [row.value("covered_volumes") for row in rows_of(promised)] == [0.9]  # whatever the number of cases
    [row] = rows_of([trials[0], promised[1]])
    assert "covered_volumes" not in row.run.metrics
