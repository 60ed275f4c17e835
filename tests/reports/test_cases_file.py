"""The file of cases: one that is not whole, or of another evaluation, is refused by its name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from written_runs import with_value, write_run, write_trial

from calib_monai.reports.__main__ import main
from calib_monai.reports.cases_file import columns_of
from calib_monai.reports.doubts import doubts_table
from calib_monai.reports.run_files import read_run

HEADER, A, B, C = "case,dice_foreground\n", "a,0.1\n", "b,0.2\n", "c,0.34\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEADER + A + B, r"cases.csv has 2 row\(s\) and summary.json says 3 case\(s\)"),
        (HEADER + A + B + C[:-2], "cases.csv broke off in a line"),
        (HEADER + A + B + "c", "cases.csv broke off in a line"),
        (HEADER + A + A + B, "cases.csv has 2 rows of a"),
        (HEADER + A + B + "d,0.3\n", "cases.csv and bins.json have other cases: only one of them has c"),
        (HEADER, "cases.csv has no case"),
        ("", "cases.csv has no case"),
        (HEADER + A + B + "c,1.7\n", "dice_foreground of c is 1.7; it must lie between 0 and 1"),
        (HEADER + A + B + "c,-inf\n", "dice_foreground of c is -inf; it must lie between 0 and 1"),
    ],
)
def test_cases_that_are_not_those_of_the_evaluation_are_refused(text: str, told: str, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", 1.0)
    (folder / "cases.csv").write_text(text)
    with pytest.raises(ValueError, match=rf"the files in .*run are damaged \({told}\): evaluate again"):
        read_run(folder)


def test_bins_of_other_cases_are_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", 1.0)
    content = json.loads((folder / "bins.json").read_text())
    content["cases"]["z"] = content["cases"].pop("a")
    (folder / "bins.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"cases.csv and bins.json have other cases: only one of them has a"):
        read_run(folder)


@pytest.mark.parametrize(
    ("file", "name", "value", "told"),
    [
        ("bins.json", ("cases", "b", "num_voxels"), 1, r"bins.json has 1 voxels of b, and \d+ of them in bins"),
        ("summary.json", ("disturbance",), [{"std": 0.1}], "has no 'transform' in its files"),
    ],
)
def test_numbers_that_contradict_each_other_are_refused(
    file: str, name: tuple[str, ...], value: object, told: str, tmp_path: Path
) -> None:
    folder = write_run(tmp_path / "run", 1.0)
    content = json.loads((folder / file).read_text())
    place = content
    for key in name[:-1]:
        place = place[key]
    place[name[-1]] = value
    (folder / file).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=told):
        read_run(folder)


def test_a_mean_that_is_not_that_of_the_cases_is_refused(tmp_path: Path) -> None:
    folder = write_trial(tmp_path, "ce", [0.7, 0.8, 0.9])
    path = folder / "summary.json"
    summary = json.loads(path.read_text())
    metrics = summary["metrics"]
    metrics["dice_foreground"]["columns"] = {"dice_foreground_left": {"value": 0.8}}
    metrics["ece_plausible_pooled"] = {"value": 0.5, "columns": {"ece_plausible_pooled": {"value": 0.5}}}
    path.write_text(json.dumps(summary))
    assert read_run(folder).metrics["dice_foreground"] == pytest.approx(0.8)
    for changed in (0.801, 0.999):
        metrics["dice_foreground"]["value"] = changed
        path.write_text(json.dumps(summary))
        with pytest.raises(
            ValueError, match=rf"summary.json says dice_foreground {changed}, .*cases.csv is 0.8: one of"
        ):
            read_run(folder)
    metrics["dice_foreground"] |= {"settings": {"reduction": "sum"}}
    path.write_text(json.dumps(summary))
    assert read_run(folder).metrics["dice_foreground"] == changed


def test_areas_of_another_order_are_computed_anew(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    with_value(run, "expected_dice", 0.7)
    other = replace(run, aurc={"x": 7.0})
    assert doubts_table([other]) == doubts_table([run])


def test_a_report_does_not_go_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"nothing can be written to .*file/report: .*file is not a folder"):
        main([str(write_run(tmp_path / "run", 1.0)), "--out", str(tmp_path / "file" / "report")])


def test_a_column_belongs_to_the_measure_with_the_longest_name() -> None:
    measures = ["dice", "dice_of_edge", "edge"]
    columns = ["dice", "dice_left", "dice_of_edge", "dice_of_edge_left", "dicey", "edge_left"]
    assert columns_of("dice", measures, columns) == ["dice", "dice_left"]
    assert columns_of("dice_of_edge", measures, columns) == ["dice_of_edge", "dice_of_edge_left"]
