"""What an experiment estimates: one mean over cases, of trials that each count once."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from written_runs import write_trial

from calib_monai.estimates import estimate
from calib_monai.experiments.comparison import Comparison, compare
from calib_monai.experiments.grouping import rows_of
from calib_monai.experiments.tables import experiment_tables
from calib_monai.experiments.trial_files import read_trial
from calib_monai.experiments.trials import Row
from calib_monai.intervals import mean_interval
from calib_monai.measures import Measure
from calib_monai.reports.case_intervals import ABOUT_DISTANCES, ABOUT_FEW
from calib_monai.reports.results import shown_measures
from calib_monai.reports.table import Table


def with_distances(folder: Path, distances: list[float], name: str = "hd95_mm") -> Path:
    """The trial in this folder, with a distance in each case."""
    with (folder / "cases.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    lines = [[*header, name], *([*row, value] for row, value in zip(rows, distances, strict=True))]
    with (folder / "cases.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    summary = json.loads((folder / "summary.json").read_text())
    summary["metrics"][name] = {"value": float(np.nanmean(distances))}
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def with_missed(folder: Path, missed: list[float]) -> Path:
    """The trial in this folder, with the number of missed structures in each case."""
    with_distances(folder, missed, "missed_structures")
    summary = json.loads((folder / "summary.json").read_text())
    summary["metrics"]["missed_structures"]["value"] = sum(missed)
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def with_columns(row: Row, measure: str) -> Row:
    """The row, whose measure has the name of a structure in its only column."""

    def renamed(of_case: Mapping[str, float]) -> dict[str, float]:
        return {f"{name}_left" if name == measure else name: value for name, value in of_case.items()}

    runs = [
        replace(trial.run, cases={case: renamed(of_case) for case, of_case in trial.run.cases.items()})
        for trial in row.trials
    ]
    return Row(row.name, [replace(trial, run=run) for trial, run in zip(row.trials, runs, strict=True)])


def compared(folders: list[Path]) -> tuple[list[Row], dict[str, Measure], Comparison, dict[str, Table]]:
    """The rows of trials, their measures, their comparison, and their tables by title."""
    rows = rows_of([read_trial(folder) for folder in folders])
    measures = shown_measures([row.run for row in rows])
    found = compare(rows, measures)
    return rows, measures, found, {table.title: table for table in experiment_tables(rows, measures, found)}


def test_a_seed_whose_cases_contradict_its_summary_leaves_no_interval_of_the_others(tmp_path: Path) -> None:
    dice = {"ce": [0.70, 0.80, 0.90, 0.75, 0.85, 0.60], "nacl": [0.72, 0.83, 0.94, 0.77, 0.86, 0.66]}
    folders = [
        write_trial(tmp_path, name, [value - 0.01 * seed for value in of], ece=of, seed=seed, cases="abcdef")
        for name, of in dice.items()
        for seed in (0, 1, 2)
    ]
    summary = json.loads((folders[5] / "summary.json").read_text())
    summary["metrics"]["dice_foreground"]["value"] = 0.2
    (folders[5] / "summary.json").write_text(json.dumps(summary))
    rows, _, found, _ = compared(folders)
    assert rows[1].value("dice_foreground") == pytest.approx((0.2 + 2 * (sum(dice["nacl"]) / 6) - 0.01) / 3)
    assert np.isnan(found.intervals["nacl"]["dice_foreground"]).all()
    assert np.isnan(found.differences["nacl"]["dice_foreground"].value)
    assert not np.isnan(found.intervals["nacl"]["ece_plausible"]).any()
    assert not np.isnan(found.intervals["ce"]["dice_foreground"]).any()


def test_folds_of_unequal_size_count_each_case_once(tmp_path: Path) -> None:
    many = [0.9 + k / 1000 for k in range(20)]
    folders = [
        write_trial(tmp_path, "ce", [0.5, 0.52], fold=0, cases="xy"),
        write_trial(tmp_path, "ce", many, fold=1, cases="abcdefghijklmnopqrst"),
    ]
    [row], _, found, tables = compared(folders)
    mean = np.mean([0.5, 0.52, *many])
    assert row.value("dice_foreground") == pytest.approx(mean)
    assert row.run.metrics["dice_foreground"] == pytest.approx(mean)
    assert row.columns("dice_foreground")["left"] == pytest.approx(mean)
    low, high = found.intervals["ce"]["dice_foreground"]
    assert (low, high) == pytest.approx(mean_interval([0.5, 0.52, *many]))
    assert low + high == pytest.approx(2 * mean)
    assert "mean over cases of each case's mean over trials" in tables["Means"].note


def test_the_deviation_between_seeds_is_of_the_mean_over_the_cases_of_all_folds(tmp_path: Path) -> None:
    folders = [
        write_trial(tmp_path, "ce", [level + seed / 10 for level in of_fold], seed=seed, fold=fold, cases=cases)
        for seed in (0, 1)
        for fold, (cases, of_fold) in enumerate([("a", [0.1]), ("bcd", [0.5, 0.6, 0.7])])
    ]
    [row], _, _, tables = compared(folders)
    assert row.deviation("dice_foreground") == pytest.approx(np.std([0.475, 0.575], ddof=1))
    assert "tested different cases" not in tables["Means"].note


def test_a_structure_that_is_empty_in_one_seed_has_one_mean_everywhere(tmp_path: Path) -> None:
    folders = []
    for seed, distances in enumerate([[nan, 5.0, 6.0], [90.0, 5.0, 6.0]]):
        folder = write_trial(tmp_path, "ce", [0.8, 0.8, 0.8], seed=seed)
        folders.append(with_distances(folder, distances, "hd95_mm"))
    [row], _, found, _ = compared(folders)
    assert row.value("hd95_mm") == pytest.approx(101 / 3)
    low, high = found.intervals["ce"]["hd95_mm"]
    assert low == 0
    expected = estimate(np.array([[nan, 5.0, 6.0], [90.0, 5.0, 6.0]]), list("abc"))
    assert expected.value == row.value("hd95_mm")
    assert high == pytest.approx(expected.interval()[1])


def test_what_is_counted_is_the_sum_over_the_cases_of_all_folds(tmp_path: Path) -> None:
    folders = [
        with_missed(write_trial(tmp_path, "ce", [0.8] * 3, fold=fold, cases=cases), missed)
        for fold, (cases, missed) in enumerate([("abc", [1.0, 0.0, 0.0]), ("def", [1.0, 1.0, 0.0])])
    ]
    [row], measures, _, _ = compared(folders)
    assert row.value("missed_structures") == 3
    assert with_columns(row, "missed_structures").columns("missed_structures") == {"left": 3}
    assert measures["missed_structures"].shown(3) == "3"


def test_a_structure_that_one_of_three_seeds_missed_is_not_shown_as_none(tmp_path: Path) -> None:
    folders = [
        with_missed(write_trial(tmp_path, "ce", [0.8] * 3, seed=seed), missed)
        for seed, missed in enumerate([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    ]
    _, measures, _, tables = compared(folders)
    means = tables["Means"]
    assert means.cells[0][means.header.index(measures["missed_structures"].title)] == "0.33 ± 0.58"


def test_cases_that_are_all_alike_have_no_interval(tmp_path: Path) -> None:
    _, _, found, tables = compared([write_trial(tmp_path, "ce", [0.8] * 3, seed=seed) for seed in (0, 1)])
    assert np.isnan(found.intervals["ce"]["dice_foreground"]).all()
    assert "If all cases have the same value, there is none" in tables["95 % intervals of the means"].note


def test_intervals_are_those_of_reports_and_say_where_they_are_rough(tmp_path: Path) -> None:
    missed = with_distances(write_trial(tmp_path, "nacl", [0.8, 0.0, 0.81]), [3.0, 90.0, 4.0])
    folders = [with_distances(write_trial(tmp_path, "ce", [0.8, 0.82, 0.81]), [3.0, 3.5, 4.0]), missed]
    _, _, found, tables = compared(folders)
    note = tables["95 % intervals of the means"].note
    assert "Student's t" in note
    assert ABOUT_FEW in note
    assert ABOUT_DISTANCES in note
    low, high = mean_interval([0.8, 0.82, 0.81])
    assert found.intervals["ce"]["dice_foreground"] == pytest.approx((low, high))
    assert not np.isnan(found.intervals["ce"]["hd95_mm"]).any()
    assert np.isnan(found.intervals["nacl"]["hd95_mm"]).all()


def test_a_row_that_rightly_draws_nothing_is_not_worse_for_it(tmp_path: Path) -> None:
    names, empty, invents = "abcdefghijkl", [nan] * 6, [90.0] * 6
    folders = [
        with_distances(write_trial(tmp_path, name, [0.8] * 12, cases=names), [*first, *[value] * 6])
        for name, first, value in (("ce", empty, 5.0), ("nacl", invents, 5.5))
    ]
    _, _, found, tables = compared(folders)
    assert found.case_ranks == pytest.approx({"ce": 4 / 3, "nacl": 5 / 3})
    assert {mark for row in tables["Ranks"].marks for mark in row} == {""}


def test_no_mark_and_no_test_contradicts_the_cases_of_both(tmp_path: Path) -> None:
    names = "abcdefghijklmnopqrst"
    worse = [5 + 0.1 * (k % 3) for k in range(18)]
    better = [4 + 0.1 * (k % 2) for k in range(18)]
    for measure in ("hd95_mm", "nll_all"):
        folders = [
            with_distances(write_trial(tmp_path / measure, name, [0.8] * 20, cases=names), distances, measure)
            for name, distances in (("ce", [*worse, nan, nan]), ("nacl", [*better, 100.0, 100.0]))
        ]
        _, measures, found, tables = compared(folders)
        means = tables["Means"]
        column = means.header.index(measures[measure].title)
        assert [row[column] for row in means.marks] == ["", ""]
        assert not found.differences["nacl"][measure].p_value < 0.05


def test_a_trial_that_is_given_twice_is_refused_with_both_folders(tmp_path: Path) -> None:
    one, other = (write_trial(tmp_path / where, "ce", [0.8, 0.82, 0.81]) for where in ("first", "second"))
    for again in (one, other):
        with pytest.raises(ValueError, match="are both ce with seed 0 and fold 0") as raised:
            rows_of([read_trial(one), read_trial(again)])
        assert f"{one} and {again} are" in str(raised.value)


def test_seeds_that_tested_different_cases_are_told_and_rows_must_agree_in_each(tmp_path: Path) -> None:
    def trials(name: str, *cases: str) -> list[Path]:
        values = [0.8, 0.6]
        return [
            write_trial(tmp_path / "".join(cases), name, [values[seed]] * 3, seed=seed, cases=of_seed)
            for seed, of_seed in enumerate(cases)
        ]

    first = trials("ce", "pqr", "rst")
    _, _, _, tables = compared(first)
    assert "Seeds tested different cases: it is between cases, too." in tables["Means"].note
    with pytest.raises(ValueError, match="nacl has other seeds, folds or cases than ce"):
        compared([*first, *trials("nacl", "rst", "pqr")])


def test_the_run_of_a_row_has_its_patients_and_the_fewest_cases_of_a_fit(tmp_path: Path) -> None:
    trials = [read_trial(write_trial(tmp_path, "ce", [0.8, 0.82, 0.81], seed=seed)) for seed in (0, 1)]
    told: list[dict[str, Any]] = [{"fitted_patients": 12}, {"fitted_patients": 4, "patients": {"a": "p", "b": "p"}}]
    [row] = rows_of([replace(one, run=replace(one.run, **of)) for one, of in zip(trials, told, strict=True)])
    assert row.run.patient_of_each == row.patients == ["patient p", "patient p", "case c"]
    assert row.run.fitted_patients == 4
    assert rows_of(trials)[0].run.fitted_patients is None


def test_patients_that_only_one_row_has_are_those_of_all_rows(tmp_path: Path) -> None:
    trials = [read_trial(write_trial(tmp_path, name, [0.8, 0.82, 0.81, 0.7], cases="abcd")) for name in ("ce", "nacl")]
    trials[1] = replace(trials[1], run=replace(trials[1].run, patients={"a": "p", "b": "p", "c": "q", "d": "q"}))
    rows = rows_of(trials)
    assert rows[0].patients == rows[1].patients == ["patient p", "patient p", "patient q", "patient q"]
    assert {
        found["dice_foreground"].patients
        for found in compare(rows, shown_measures([row.run for row in rows])).differences.values()
    } == {2}


def test_a_slice_is_of_the_fold_that_tested_its_case(tmp_path: Path) -> None:
    folders = [
        write_trial(tmp_path, "ce", [0.8, 0.9], fold=fold, cases=cases) for fold, cases in enumerate(["ab", "cd"])
    ]
    again = write_trial(tmp_path, "ce", [0.8, 0.9], seed=1, cases="ab")
    again_b = write_trial(tmp_path, "ce", [0.8, 0.9], seed=1, fold=1, cases="cd")
    [row] = rows_of([read_trial(folder) for folder in (*folders, again, again_b)])
    assert row.run.folder_of == dict(zip("abcd", [folders[0]] * 2 + [folders[1]] * 2, strict=True))
    assert row.run.slice_of("d").index == 3
