"""Differences: each row is compared with one that differs in one thing, for other cases and other trainings."""

from __future__ import annotations

import json
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from written_runs import write_trial

from calib_monai.estimates import estimate
from calib_monai.experiments import marks
from calib_monai.experiments.__main__ import main
from calib_monai.experiments.comparison import compare
from calib_monai.experiments.grouping import rows_of
from calib_monai.experiments.tables import experiment_tables
from calib_monai.experiments.trial_files import read_trial
from calib_monai.experiments.trials import Row
from calib_monai.measures import Measure
from calib_monai.ranks import friedman, holm
from calib_monai.reports.critical_differences import critical_differences_figure, groups_of
from calib_monai.reports.results import shown_measures
from calib_monai.reports.table import NOTABLE

CASES = "abcdefghijkl"
LEVELS = {"ce": 0.70, "nacl": 0.75, "mbls": 0.752}


def dice_of(name: str, seed: int, between: float) -> list[float]:
    """The Dice of the cases, whose mean over many seeds is the level of the method."""
    noise = np.random.default_rng(seed + 10 * len(name)).normal(scale=0.01, size=len(CASES))
    offset = [0.0, 1.0, -1.0][seed] * between
    return [LEVELS[name] + offset + float(one) for one in noise - noise.mean()]


def trials_in(out: Path, between: float, seeds: int = 3, evaluation: str = "eval") -> list[Path]:
    return [
        write_trial(out, name, dice_of(name, seed, between), cases=CASES, seed=seed, evaluation=evaluation)
        for name in LEVELS
        for seed in range(seeds)
    ]


def rows_in(folders: list[Path]) -> tuple[list[Row], dict[str, Measure]]:
    rows = rows_of([read_trial(folder) for folder in folders])
    return rows, shown_measures([row.run for row in rows])


def test_a_difference_that_is_less_than_that_of_seeds_is_not_significant(tmp_path: Path) -> None:
    for between, significant in ((0.001, True), (0.05, False)):
        rows, measures = rows_in(trials_in(tmp_path / str(between), between))
        compared = compare(rows, measures)
        assert (compared.corrected["nacl"]["dice_foreground"] < 0.05) == significant
        over_cases = stats.ttest_rel(*([*row.by_case("dice_foreground").values()] for row in rows[1::-1]))
        assert over_cases.pvalue < 1e-6  # which says nothing of other trainings
        means = experiment_tables(rows, measures, compared)[0]
        assert [line[1] for line in means.marks] == (["", NOTABLE, NOTABLE] if significant else ["", "", ""])


def test_marks_rarely_tell_equal_rows_apart_though_the_best_is_chosen_by_its_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The best of 8 equal rows is chosen by the values that are tested. 36 of 400 tables are 4 errors above 5 %."""
    dice, draws, told = Measure("Dice", 3, more_is_better=True), np.random.default_rng(0), 0
    monkeypatch.setattr(
        marks, "difference_of", lambda row, best, *_: estimate((values[row] - values[best])[None], range(30))
    )
    for _ in range(400):
        values = draws.normal(size=(8, 30))
        [column] = marks.marks_of(range(8), [marks.Column("dice", dice, values.mean(axis=1))])
        told += any(column)
    assert told < 36


def test_primary_measures_are_corrected_together(tmp_path: Path) -> None:
    rows, measures = rows_in(trials_in(tmp_path, 0.001, seeds=1))
    compared = compare(rows, measures)
    cells = [(row, name) for row in ("nacl", "mbls") for name in ("dice_foreground", "ece_plausible")]
    expected = holm([compared.differences[row][name].p_value for row, name in cells])
    assert [compared.corrected[row][name] for row, name in cells] == pytest.approx(expected.tolist())
    rows[0].run.metrics["nll_all"] = 0.1
    assert isnan(compared.corrected["nacl"].get("hd95_mm", float("nan")))


def test_cases_of_a_patient_are_one(tmp_path: Path) -> None:
    folders = trials_in(tmp_path, 0.001, seeds=1)
    apart = compare(*rows_in(folders)).differences["nacl"]["dice_foreground"]
    for folder in folders:
        header, *lines = (folder / "cases.csv").read_text().splitlines()
        told = [line.replace(",", f",patient {number // 2},", 1) for number, line in enumerate(lines)]
        (folder / "cases.csv").write_text("\n".join([header.replace(",", ",patient,", 1), *told, ""]))
    rows, measures = rows_in(folders)
    together = compare(rows, measures).differences["nacl"]["dice_foreground"]
    assert (apart.patients, together.patients) == (12, 6)
    assert together.value == pytest.approx(apart.value)
    values = [np.reshape([*row.by_case("dice_foreground").values()], (6, 2)).mean(axis=1) for row in rows[1::-1]]
    assert together.p_value == pytest.approx(stats.ttest_rel(*values).pvalue)


def test_each_row_is_compared_with_what_differs_from_it_in_one_thing(tmp_path: Path) -> None:
    folders = [*trials_in(tmp_path, 0.001, 1), *trials_in(tmp_path, 0.001, 1, "eval_ts")]
    folders.append(write_trial(tmp_path, "nacl-gaussian", dice_of("nacl", 0, 0), cases=CASES))
    rows, measures = rows_in(folders)
    compared = compare(rows, measures)
    assert compared.references == {
        "nacl": "ce",
        "mbls": "ce",
        "nacl gaussian": "nacl",
        **{f"{name} + TS": name for name in LEVELS},
    }
    same = compared.differences["nacl + TS"]["dice_foreground"]
    assert (same.value, same.p_value) == (0, 1)
    tests = next(
        table for table in experiment_tables(rows, measures, compared) if table.title == "Tests of the differences"
    )
    line = dict(zip(tests.header, next(cells for cells in tests.cells if cells[0] == "nacl + TS - nacl"), strict=True))
    assert (line["Dice: p"], line["Dice: as good"]) == ("1.000", "yes")


@pytest.mark.usefixtures("undrawn")
def test_results_have_each_case_of_each_trial_and_differences_from_the_row_that_is_named(tmp_path: Path) -> None:
    assert main([*map(str, trials_in(tmp_path, 0.001, 2)), "--out", str(tmp_path / "tables")]) == 0
    found = json.loads((tmp_path / "tables" / "results.json").read_text())
    assert found["patients"]["a"] == "case a"
    row = found["rows"]["nacl"]
    assert row["trials"][1]["seed"] == 1
    assert row["trials"][1]["cases"]["b"]["dice_foreground"] == pytest.approx(dice_of("nacl", 1, 0.001)[1], abs=1e-6)
    told = row["measures"]["dice_foreground"]["difference"]
    assert (told["from"], told["margin"], told["as_good"]) == ("ce", 0.01, False)
    assert told["interval"][0] < told["value"] < told["interval"][1]
    assert found["rows"]["ce"]["measures"]["dice_foreground"]["difference"] is None
    page = (tmp_path / "tables" / "report.html").read_text()
    assert "Nemenyi" in page
    assert (tmp_path / "tables" / "critical_differences.png").is_file()


def test_bars_of_the_diagram_span_rows_that_are_not_told_apart(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = np.array([[0.0], [0.02], [1.0], [1.02]]) + rng.normal(scale=0.1, size=(4, 30))
    test = friedman(values, lower_is_better=True)
    assert list(map(sorted, groups_of(test))) == [[0, 1], [2, 3]]
    rows, measures = rows_in(trials_in(tmp_path, 0.001, 1))
    tests = compare(rows, measures).friedman
    figure = critical_differences_figure(tests, list(LEVELS))
    assert len(figure.axes) == len(tests) == 2  # Dice and ECE
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][-1] == "ce"
