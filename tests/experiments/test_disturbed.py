"""Disturbed images: rows with and without noise are not compared as if noise were a method."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from written_runs import MANY, write_trial

from calib_monai.experiments.comparison import compare
from calib_monai.experiments.grouping import rows_of
from calib_monai.experiments.published import Published, published_table
from calib_monai.experiments.tables import experiment_tables
from calib_monai.experiments.trial_files import read_trial
from calib_monai.reports.results import shown_measures
from calib_monai.reports.table import NOTABLE

DICE = {"ce": [0.60, 0.61, 0.62], "nacl": [0.70, 0.712, 0.72], "mbls": [0.80, 0.811, 0.82]}


def disturbed(folder: Path, *deviations: float) -> Path:
    """The folder of a trial whose images had noise of these deviations."""
    summary = json.loads((folder / "summary.json").read_text())
    summary["disturbance"] = [{"transform": "RandGaussianNoised", "std": deviation} for deviation in deviations]
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def test_rows_with_and_without_noise_are_neither_marked_nor_ranked(tmp_path: Path) -> None:

    def dice_of(name: str, worse: int) -> list[float]:
        return [value - 0.3 * worse for value in 2 * DICE[name]]

    trials = {
        name: [
            read_trial(disturbed(write_trial(tmp_path, name, dice_of(name, len(std)), cases=MANY, evaluation=at), *std))
            for at, std in (("eval", ()), ("eval_noise_0.01", (0.01,)))
        ]
        for name in DICE
    }
    plain, both = rows_of([each[0] for each in trials.values()]), rows_of([*trials["ce"], *trials["nacl"]])
    assert both[1].run.disturbance == [{"transform": "RandGaussianNoised", "std": 0.01}]
    measures = shown_measures([row.run for row in plain])
    for rows, compares in ((plain, True), (both, False)):
        compared = compare(rows, measures)
        tables = experiment_tables(rows, measures, compared)
        assert any(NOTABLE in line for table in tables[:2] for line in table.marks) == compares
        assert bool(compared.ranked) == bool(compared.friedman) == (tables[-1].title == "Ranks") == compares
        told = "disturbed differently, so runs are neither marked nor ranked: ce, nacl with no disturbance"
        assert (told in tables[0].note) is not compares
    assert compared.references == {"ce noise 0.01": "ce", "nacl": "ce", "nacl noise 0.01": "nacl"}
    assert all("dice_foreground" in of_row for of_row in compared.differences.values())
    without_plain = compare([both[0], both[3]], measures)
    assert without_plain.differences == {"nacl noise 0.01": {}}  # other networks, and other images


def test_values_of_disturbed_images_do_not_stand_beside_printed_ones(tmp_path: Path) -> None:
    for std, beside in (((), True), ((0.1,), False)):
        folder = disturbed(write_trial(tmp_path / str(beside), "ce", DICE["ce"]), *std)
        rows = rows_of([read_trial(folder)])
        measures = shown_measures([row.run for row in rows])
        published = Published(source="A paper", dataset="brains", measures=["dice_foreground"], rows={"ce": [0.8]})
        assert (published_table(published, rows, measures) is not None) is beside


def test_noise_that_no_name_tells_is_refused(tmp_path: Path) -> None:
    first, other = (read_trial(disturbed(write_trial(tmp_path, "ce", DICE["ce"], seed=k), *[0.1] * k)) for k in (0, 1))
    told = r"disturbed differently.*seed0_fold0/eval with no disturbance; .*seed1_fold0/eval with Rand.* \(std 0.1\)"
    with pytest.raises(ValueError, match=told):
        rows_of([first, other])
    noisy = read_trial(disturbed(write_trial(tmp_path, "nacl", DICE["ce"]), 0.1))
    with pytest.raises(ValueError, match=r"disturbed differently.*ce.*no disturbance; .*nacl/seed0_fold0/eval with"):
        rows_of([first, noisy])
