"""Results: the tables say what was measured, and what of it can be compared."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from written_runs import MANY, with_value, write_run

from calib_monai.measures import Measure, measure_of
from calib_monai.reports.alike import unlike_settings
from calib_monai.reports.report import write_report
from calib_monai.reports.results import ABOUT_CHOICE, ABOUT_PAPERS, AS_PAPERS, results_tables
from calib_monai.reports.run_files import read_run
from calib_monai.reports.structures import structures_table
from calib_monai.reports.table import BEST, Table


def test_the_table_says_what_was_measured(tmp_path: Path) -> None:
    [table] = results_tables([read_run(write_run(tmp_path / "run", 1.0))])
    header, _, row = table.markdown().splitlines()
    assert [cell.strip() for cell in header.split("|")[2:-1]] == [
        "Dice",
        "HD95 (mm)",
        "ECE, plausible",
        "plausible voxels (%)",
        "cases",
    ]
    assert [cell.strip() for cell in row.split("|")[1:-1]] == ["run", "0.812", "1.50", "0.044", "25.0", "3"]


def test_what_depends_on_the_label_has_a_table_of_its_own(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    run.metrics.update(ece_foreground=0.1, nll_all=0.0123, cece_union=0.2)
    proper, papers = results_tables([run])
    assert proper.header[1:5] == ["Dice", "HD95 (mm)", "ECE, plausible", "NLL (per 1000 voxels)"]
    assert proper.cells[0][:5] == ["run", "0.812", "1.50", "0.044", "12.3"]
    assert proper.note == ABOUT_CHOICE
    assert (papers.title, papers.note) == (AS_PAPERS, ABOUT_PAPERS)
    assert papers.header == ["", "ECE, label foreground", "CECE, union", "cases"]


def test_a_number_is_rounded_as_it_is_written() -> None:
    assert measure_of("nll_all").shown(0.03945) == "39.5"  # 1000 times this is a little less than 39.45
    assert measure_of("nll_all").rounded([0.03945]) == [39.5]
    assert [measure_of("nll_all").shown(value) for value in (0.0, -0.0123, float("nan"))] == ["0.0", "-12.3", "-"]


def test_runs_of_other_networks_are_told(tmp_path: Path) -> None:
    first, second, third = (read_run(write_run(tmp_path / name, 1.0, cases=MANY)) for name in ("one", "two", "old"))
    small = {"_target_": "monai.networks.nets.unet.UNet", "channels": [4, 8], "layers": "a", "torch": "2.13.0"}
    runs = [replace(first, network=small), replace(second, network=small | {"layers": "b", "torch": "2.12.0"}), third]
    assert "networks differ" not in results_tables(runs)[0].note
    runs[1] = replace(second, network=small | {"channels": [8, 16], "bias": False})
    wide = "one is UNet with channels [4, 8]; two is UNet with channels [8, 16]"
    assert f"not only their training: {wide}." in results_tables(runs)[0].note
    other = replace(third, network={"_target_": "mine.Net", "depth": 2})
    assert f"not only their training: {wide}; old is Net." in results_tables([*runs[:2], other])[0].note
    calibrated = replace(second, model=first.model, network=small)
    assert "networks differ" not in results_tables([runs[0], calibrated])[0].note


def test_a_measure_with_other_settings_is_not_compared(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / name, 1.0, cases=MANY)) for name in ("first", "second", "third")]
    for run, error in zip(runs, (0.1, 0.2, 0.3), strict=True):
        with_value(run, "tace_foreground", error)
    assert "**0.100**" in results_tables(runs)[1].markdown()
    alike = {"threshold": 1e-3, "region": "foreground"}
    runs[:2] = [replace(run, settings={"tace_foreground": alike}) for run in runs[:2]]
    assert "**0.100**" in results_tables(runs)[1].markdown()  # the third is of an older version, which noted none
    runs[1] = replace(runs[1], settings={"tace_foreground": alike | {"threshold": 1e-2}})
    table = results_tables(runs)[1]
    assert "**0.100**" not in table.markdown()
    assert table.note == (
        f"{ABOUT_PAPERS} TACE, label foreground has different settings and is not compared: first with "
        "threshold 0.001; second with threshold 0.01."
    )


@pytest.mark.usefixtures("undrawn")
def test_an_added_measure_is_shown_and_one_of_unknown_direction_has_no_best(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / name, 1.0, cases=MANY)) for name in ("first", "second")]
    for run, value in zip(runs, (0.1, 0.2), strict=True):
        run.metrics.update({"tace_foreground_0.01": 0.5, "ece_union_pooled": 0.6})
        with_value(run, "true_positives", value)
        with_value(run, "recall", value)
    told = {"recall": Measure("Recall", 2, more_is_better=True)}
    write_report([replace(run, measures=told) for run in runs], tmp_path / "report")
    table = (tmp_path / "report" / "results.md").read_text()
    assert "TACE, label foreground, 0.01 |" in table
    assert "ECE, union, pooled |" in table
    assert re.search(r"\| true positives \| +Recall \|", table)
    assert re.search(r"\| second .* 0\.200 \| \*\*0\.20\*\* \|", table)


def test_shapes_with_other_settings_are_not_compared_and_the_note_says_which(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / name, 1.0, cases=MANY)) for name in ("first", "second")]
    for run, dice in zip(runs, (0.9, 0.8), strict=True):
        with_value(run, "dice_foreground", dice)
    made: list[dict[str, object]] = [{"include_background": False}, {"include_background": True, "spacing": [0.1]}]
    runs = [replace(run, settings={"dice_foreground": one}) for run, one in zip(runs, made, strict=True)]
    for table in (results_tables(runs)[0], structures_table(runs)):
        assert "**" not in table.markdown()
    assert results_tables(runs)[0].note == (
        "Dice has different settings and is not compared: first with include_background False, no spacing; second with "
        "include_background True, spacing [0.1]."
    )


def test_other_unions_are_not_compared_but_runs_of_before_did_not_note_theirs(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / name, 1.0)) for name in ("first", "second", "before")]
    made = [{"overlapping": True, "unions": {"wt": [1, 2, 3]}}, {"overlapping": True, "unions": {"wt": [1, 2]}}]
    made.append({"overlapping": True})
    runs = [replace(run, settings={"dice_foreground": one}) for run, one in zip(runs, made, strict=True)]
    assert "second with unions {'wt': [1, 2]}" in unlike_settings("dice_foreground", runs)
    assert not unlike_settings("dice_foreground", runs[1:])


def test_a_measure_that_could_not_leave_out_the_background_had_it(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "before", 1.0))
    noted: list[dict[str, object]] = [{"threshold": 0.1}, {"include_background": True}, {"include_background": False}]
    before, now, without = (
        replace(run, name=str(name), settings={"tace_all": {"threshold": 0.1} | one}) for name, one in enumerate(noted)
    )
    assert not unlike_settings("tace_all", [before, now])
    assert "2 with include_background False" in unlike_settings("tace_all", [before, without])


def test_images_with_other_noise_are_not_compared(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / name, 1.0, cases=MANY)) for name in ("first", "second")]
    for run, dice in zip(runs, (0.9, 0.8), strict=True):
        with_value(run, "dice_foreground", dice)
    runs = [replace(runs[0], disturbance=[]), runs[1]]
    for table in (results_tables(runs)[0], structures_table(runs)):
        assert "**0.900**" in table.markdown()  # the second is of an older version, which noted none
    noise = {"transform": "Shiftd", "keys": ["image"], "kind": "noise", "strength": 0.1, "mean": 0.0}
    runs[1] = replace(runs[1], disturbance=[noise])
    for table in (results_tables(runs)[0], structures_table(runs)):
        assert "**" not in table.markdown()
    assert results_tables(runs)[0].note == (
        "The images were disturbed differently, so runs are neither marked nor ranked: first with no disturbance; "
        "second with Shiftd (kind noise, strength 0.1)."
    )


def test_a_bar_in_a_name_ends_no_cell_of_a_markdown_table() -> None:
    table = Table("", ["", "left|right"], [["a|b", "1"]], [["", BEST]])
    assert table.markdown().splitlines() == [
        r"|      | left\|right |",
        "| ---- | ----------: |",
        r"| a\|b |       **1** |",
    ]


def test_shapes_are_not_compared_if_only_one_run_ignores_a_label(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / name, 1.0, cases=MANY)) for name in ("first", "second")]
    for run, dice in zip(runs, (0.9, 0.8), strict=True):
        with_value(run, "dice_foreground", dice)
    settings = {"dice_foreground": {"include_background": False}, "nll_all": {"region": "all"}}
    runs = [replace(run, settings=settings) for run in runs]
    assert "Dice has different settings" not in results_tables(runs)[0].note
    runs[1] = replace(runs[1], settings=settings | {"nll_all": {"region": "all", "ignore_index": 255}})
    told = "Dice has different settings and is not compared: first with no ignore_index; second with ignore_index 255."
    assert told in results_tables(runs)[0].note
