"""Experiments: trials become rows, tables and tests that can be traced to them."""

from __future__ import annotations

import json
from dataclasses import replace
from math import isnan, nan
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from scipy import stats
from written_runs import write_trial

from calib_monai.experiments.__main__ import MOST_DRAWN, drawn_rows, main
from calib_monai.experiments.comparison import compare
from calib_monai.experiments.grouping import rows_of
from calib_monai.experiments.tables import experiment_tables
from calib_monai.experiments.trial_files import read_trial
from calib_monai.experiments.trials import Row
from calib_monai.reports.results import shown_measures

CASES = {"ce": [0.70, 0.80, 0.90], "nacl": [0.72, 0.83, 0.94], "mbls": [0.69, 0.81, 0.95]}


def rows_in(out: Path, *seeds: int) -> list[Row]:
    """A row for each method of `CASES`; its Dice falls by 0.01 a seed, its ECE is a tenth of it."""
    return rows_of(
        [
            read_trial(write_trial(out, name, [v - 0.01 * s for v in dice], ece=[v / 10 for v in dice], seed=s))
            for name, dice in CASES.items()
            for s in seeds
        ]
    )


def test_a_row_is_the_mean_over_seeds_and_says_how_far_they_differ(tmp_path: Path) -> None:
    row = rows_in(tmp_path, 0, 1, 2)[1]
    assert row.seeds == [0, 1, 2]
    assert row.value("dice_foreground") == pytest.approx(0.83 - 0.01)
    assert row.deviation("dice_foreground") == pytest.approx(0.01)
    assert row.by_case("dice_foreground") == pytest.approx({"a": 0.71, "b": 0.82, "c": 0.93})
    assert row.columns("dice_foreground") == pytest.approx({"left": 0.82})
    assert row.columns("ece_plausible") == {}
    assert isnan(row.value("hd95_mm"))
    assert isnan(rows_in(tmp_path / "alone", 4)[0].deviation("dice_foreground"))


def test_the_run_of_a_row_has_the_voxels_of_all_its_trials(tmp_path: Path) -> None:
    row = rows_in(tmp_path, 0, 1)[0]
    first = row.trials[0].run
    assert row.run.bins.total == 2 * first.bins.total
    assert row.run.logits is not None
    assert first.logits is not None
    assert np.array_equal(row.run.logits.count, 2 * first.logits.count)
    assert row.run.metrics["dice_foreground"] == row.value("dice_foreground")


def test_a_measure_does_not_take_the_columns_of_one_whose_name_goes_on(tmp_path: Path) -> None:
    folder = write_trial(tmp_path, "ce", [0.7, 0.8, 0.9])
    cases = (folder / "cases.csv").read_text().replace("ece_plausible", "hd95_mm_regions_et")
    (folder / "cases.csv").write_text(cases.replace("dice_foreground_left", "hd95_mm_left"))
    summary = (folder / "summary.json").read_text().replace("ece_plausible", "hd95_mm_regions")
    (folder / "summary.json").write_text(summary.replace('"dice_foreground"', '"hd95_mm"'))
    [row] = rows_of([read_trial(folder)])
    assert row.by_case("hd95_mm") == {"a": 0.7, "b": 0.8, "c": 0.9}
    assert list(row.columns("hd95_mm_regions")) == ["et"]


def test_rows_are_named_by_what_tells_them_apart(tmp_path: Path) -> None:
    folders = [
        write_trial(tmp_path, "dice_ce", CASES["ce"]),
        write_trial(tmp_path, "dice_ce-train_0.25", CASES["ce"]),
        write_trial(tmp_path, "dice_ce", CASES["ce"], evaluation="eval_lts"),
        write_trial(tmp_path, "dice_ce", CASES["ce"], evaluation="eval_noise_0.01"),
        write_trial(tmp_path, "dice_ce", CASES["ce"], evaluation="eval_ensemble_ts"),
    ]
    rows = rows_of([read_trial(folder) for folder in folders])
    names = ["dice_ce", "dice_ce train 0.25", "dice_ce + LTS", "dice_ce noise 0.01", "dice_ce ensemble + TS"]
    assert [row.name for row in rows] == names
    assert [row.setting for row in rows] == ["", "train_0.25", "lts", "noise_0.01", "ensemble_ts"]
    other = tmp_path / "unetpp"
    (tmp_path / "unet").rename(other)
    trials = [read_trial(write_trial(tmp_path, "ce", CASES["ce"])), read_trial(other / "dice_ce/seed0_fold0/eval")]
    assert [row.name for row in rows_of(trials)] == ["ce unet", "dice_ce unetpp"]


def test_rows_of_other_seeds_or_cases_are_not_compared(tmp_path: Path) -> None:
    first = read_trial(write_trial(tmp_path, "ce", CASES["ce"]))
    with pytest.raises(ValueError, match="nacl has other seeds, folds or cases than ce"):
        rows_of([first, read_trial(write_trial(tmp_path, "nacl", CASES["ce"], seed=1))])
    with pytest.raises(ValueError, match="mbls has other seeds, folds or cases than ce"):
        rows_of([first, read_trial(write_trial(tmp_path, "mbls", CASES["ce"][:2]))])


@pytest.mark.parametrize("names", [["background", "right", "left"], ["background", "left", "right", "body"]])
def test_trials_of_other_classes_are_not_compared(names: list[str], tmp_path: Path) -> None:
    first, other = (read_trial(write_trial(tmp_path, name, CASES["ce"])) for name in ("ce", "nacl"))
    other = replace(other, run=replace(other.run, class_names=names))
    with pytest.raises(
        ValueError, match=rf"ce/.* has the classes .*left, right and .*nacl/.* {', '.join(names)}; runs"
    ):
        rows_of([first, other])
    again = replace(other, method="ce", seed=1)
    with pytest.raises(ValueError, match="has the classes"):
        rows_of([first, again])


def test_trials_that_were_measured_with_other_settings_are_not_compared(tmp_path: Path) -> None:
    trials = [read_trial(write_trial(tmp_path, "ce", CASES["ce"], seed=seed)) for seed in (0, 1, 2)]
    unlike = [
        replace(trial, run=replace(trial.run, settings={"ece_plausible": {"num_bins": bins, "pooled": False}}))
        for trial, bins in zip(trials, (15, 15, 10), strict=True)
    ]
    rows_of(unlike[:2])
    with pytest.raises(
        ValueError, match=r"ece_plausible was not measured alike.* with num_bins 15; .* with num_bins 10"
    ):
        rows_of(unlike)


def test_a_folder_that_the_workflow_did_not_write_is_refused(tmp_path: Path) -> None:
    folder = write_trial(tmp_path, "ce", CASES["ce"])
    with pytest.raises(ValueError, match=r"unet is no trial; it must be NETWORK/METHOD/seedS_foldF/eval"):
        read_trial(tmp_path / "unet")
    (folder.parent / "train.json").unlink()
    with pytest.raises(ValueError, match=r"train.json is not there"):
        read_trial(folder)


def test_cases_are_tested_as_scipy_tests_them(tmp_path: Path) -> None:
    rows = rows_in(tmp_path, 0, 1)
    found = compare(rows, shown_measures([row.run for row in rows]))
    by_case = [list(row.by_case("dice_foreground").values()) for row in rows]
    assert found.friedman["dice_foreground"].p_value == pytest.approx(stats.friedmanchisquare(*by_case).pvalue)
    assert found.differences["nacl"]["dice_foreground"].value == pytest.approx(0.03)
    assert isnan(found.corrected["nacl"]["dice_foreground"])  # of three patients
    assert found.ranked == ["dice_foreground", "ece_plausible"]
    assert found.sum_ranks == {"ce": 2.0, "nacl": 2.0, "mbls": 2.0}  # what has more Dice has more ECE here
    low, high = found.intervals["ce"]["dice_foreground"]
    assert low < rows[0].value("dice_foreground") < high


def test_two_rows_have_ranks_but_no_friedman_and_one_is_alone(tmp_path: Path) -> None:
    rows = rows_in(tmp_path, 0)
    titles = {}
    for count in (1, 2, 3):
        measures = shown_measures([row.run for row in rows[:count]])
        compared = compare(rows[:count], measures)
        assert bool(compared.friedman) == (count == 3)
        titles[count] = [table.title for table in experiment_tables(rows[:count], measures, compared)]
    assert titles[1] == ["Means", "Dice of each structure", "95 % intervals of the means"]
    assert titles[2] == titles[3] == [*titles[1], "Differences", "Tests of the differences", "Ranks"]


def test_a_case_without_a_value_counts_for_nothing(tmp_path: Path) -> None:
    trials = [read_trial(write_trial(tmp_path, name, [nan, *dice[1:]])) for name, dice in CASES.items()]
    rows = rows_of(trials)
    measures = shown_measures([row.run for row in rows])
    compared = compare(rows, measures)
    assert compared.differences["nacl"]["dice_foreground"].patients == 2
    assert not any("nan" in cell for row in experiment_tables(rows, measures, compared)[0].cells for cell in row)


def test_one_case_has_means_but_no_tests(tmp_path: Path) -> None:
    rows = rows_of([read_trial(write_trial(tmp_path, name, dice[:1])) for name, dice in CASES.items()])
    compared = compare(rows, shown_measures([row.run for row in rows]))
    assert isnan(compared.differences["nacl"]["dice_foreground"].p_value)
    assert all(map(isnan, compared.intervals["nacl"]["dice_foreground"]))
    for shown, told in ((rows, True), (rows[:1], False)):
        measures = shown_measures([row.run for row in shown])
        means = experiment_tables(shown, measures, compare(shown, measures))[0]
        assert ("Nothing is marked as best: in fewer than 6 patients" in means.note) == told


PUBLISHED = [
    {
        "source": "A paper",
        "dataset": "brains",
        "measures": ["dice_foreground", "tace_foreground"],
        "rows": {"ce": [0.8, 0.1], "nacl": [0.5, 0.1], "mbls": [0.82, 0.1], "absent": [0.1, 0.1]},
    },
    {"source": "Another", "dataset": "hearts", "measures": ["dice_foreground"], "rows": {"ce": [0.8]}},
]


def run_main(tmp_path: Path, *options: str) -> Path:
    """Where the tables of two seeds of each method are written."""
    trials = [str(trial.run.folder) for row in rows_in(tmp_path, 0, 1) for trial in row.trials]
    (tmp_path / "published.json").write_text(json.dumps(PUBLISHED))
    out = tmp_path / "tables"
    assert main([*trials, "--out", str(out), "--published", str(tmp_path / "published.json"), *options]) == 0
    return out


@pytest.mark.usefixtures("undrawn")
def test_an_experiment_is_written_as_page_markdown_latex_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run_main(tmp_path, "--title", "All methods")
    assert "| nacl | 0.825 ± 0.007 |  0.083 ± 0.000 |" in capsys.readouterr().out
    markdown = (out / "results.md").read_text(encoding="utf-8")
    assert "| nacl | 0.825 ± 0.007 |" in markdown  # three cases do not say that it is best
    assert "3 case(s); seed(s) 0, 1; fold(s) 0; 2 epoch(s), ± the standard deviation between seeds." in markdown
    assert "<h1>All methods</h1>" in (out / "report.html").read_text(encoding="utf-8")
    latex = (out / "results.tex").read_text(encoding="utf-8")
    assert r"nacl & 0.825 $\pm$ 0.007 &" in latex
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 7
    found = json.loads((out / "results.json").read_text(), parse_constant=pytest.fail)
    assert found["title"] == "All methods"
    assert found["num_cases"] == 3
    assert found["conditions"]["train_hours"] == 0.06  # six trainings of 36 s
    assert found["conditions"]["data"] == ["DATA"]
    dice = found["rows"]["nacl"]["measures"]["dice_foreground"]
    assert dice["trials"] == [0.83, 0.82]
    assert found["rows"]["nacl"]["options"] == {"--epochs": "2"}


@pytest.mark.usefixtures("undrawn")
def test_what_was_printed_stands_beside_what_was_measured(tmp_path: Path) -> None:
    markdown = (run_main(tmp_path) / "results.md").read_text(encoding="utf-8")
    _, _, beside = markdown.partition("### Beside A paper\n")
    assert "| ce   | 0.795 |   0.800 |     -0.005 |" in beside
    assert "| nacl | 0.825 |   0.500 |     +0.325 |" in beside
    assert "Dice -0.50." in beside
    assert "TACE" not in beside  # was not measured
    assert "absent" not in beside
    assert "Beside Another" not in markdown


@pytest.mark.usefixtures("undrawn")  # but the curves
def test_what_was_varied_is_drawn(tmp_path: Path) -> None:
    folders = [
        str(write_trial(tmp_path, name, CASES[name], evaluation=evaluation))
        for name in ("ce", "nacl")
        for evaluation in ("eval", "eval_noise_0.01")
    ]
    out = tmp_path / "tables"
    main([*folders, "--out", str(out), "--axis", "noise", "--plain", "0"])
    assert imread(out / "curves.png").std() > 0.1
    assert "measures against what was varied" in (out / "report.html").read_text(encoding="utf-8")
    folders.append(str(write_trial(tmp_path, "ce", CASES["ce"], evaluation="eval_blur_2")))
    main([*folders, "--out", str(out), "--axis", "strength", "--plain", "0"])
    assert {path.name for path in out.glob("curves_*")} == {"curves_blur.png", "curves_noise.png"}
    assert (out / "report.html").read_text(encoding="utf-8").count("measures against what was varied") == 2
    with pytest.raises(ValueError, match="set --plain to what 'noise' is where nothing was varied"):
        main([*folders, "--out", str(out), "--axis", "noise"])
    with pytest.raises(ValueError, match="no name of a trial ends in a number of 'noise'"):
        main([*folders[:4:2], "--out", str(out), "--axis", "noise", "--plain", "0"])


@pytest.mark.usefixtures("undrawn")
def test_folds_test_cases_of_their_own(tmp_path: Path) -> None:
    folders = [
        str(write_trial(tmp_path, name, CASES[name], fold=fold, cases=cases))
        for name in ("ce", "nacl")
        for fold, cases in enumerate(("abc", "def"))
    ]
    assert main([*folders, "--out", str(tmp_path / "tables")]) == 0
    found = json.loads((tmp_path / "tables" / "results.json").read_text())
    assert found["folds"] == [0, 1]
    assert found["num_cases"] == 6


def test_structures_that_were_missed_are_counted_and_have_no_interval(tmp_path: Path) -> None:
    folder = write_trial(tmp_path, "ce", [1.0, 0.0, 1.0])
    for name in ("cases.csv", "summary.json"):
        (folder / name).write_text((folder / name).read_text().replace("ece_plausible", "missed_structures"))
    rows = rows_of([read_trial(folder)])
    measures = shown_measures([row.run for row in rows])
    compared = compare(rows, measures)
    assert "missed_structures" in measures
    assert list(compared.intervals["ce"]) == ["dice_foreground"]
    tables = experiment_tables(rows, measures, compared)
    assert "missed structures" in tables[0].header
    assert "missed structures" not in tables[-1].header


def test_a_value_that_is_not_the_mean_of_its_cases_has_no_interval_and_no_test(tmp_path: Path) -> None:
    folders = [write_trial(tmp_path, name, dice) for name, dice in (("ce", [0.6, 0.7, 0.8]), ("nacl", [0.7, 0.8, 0.9]))]
    for folder in folders:
        summary = json.loads((folder / "summary.json").read_text())
        summary["metrics"]["dice_foreground"]["value"] -= 0.1
        (folder / "summary.json").write_text(json.dumps(summary))
    rows = rows_of([read_trial(folder) for folder in folders])
    measures = shown_measures([row.run for row in rows])
    compared = compare(rows, measures)
    assert all(map(isnan, compared.intervals["nacl"]["dice_foreground"]))
    assert isnan(compared.differences["nacl"]["dice_foreground"].value)
    means = experiment_tables(rows, measures, compared)[0]
    assert {mark for row in means.marks for mark in row} == {""}


def test_of_many_rows_those_evaluated_plainly_are_drawn(tmp_path: Path) -> None:
    few = rows_in(tmp_path, 0)
    assert drawn_rows(few) == few
    evaluations = ["eval", *(f"eval_noise_0.0{k}" for k in range(MOST_DRAWN))]
    trials = [read_trial(write_trial(tmp_path / "many", "ce", CASES["ce"], evaluation=one)) for one in evaluations]
    assert [row.name for row in drawn_rows(rows_of(trials))] == ["ce"]
