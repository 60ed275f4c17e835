"""Outside: a report puts a network on its own test cases and elsewhere beside each other."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from written_runs import write_run

from calib_monai.reports.__main__ import main
from calib_monai.reports.outside import inside_and_outside, outside_table
from calib_monai.reports.run_files import read_runs


def write_outside(folder: Path, model: Path, name: str = "siteB", cases: str = "defg") -> Path:
    """An evaluation of a run's model on other cases."""
    write_run(folder, 0.5, dataset=name, cases=cases)
    path = folder / "summary.json"
    summary = json.loads(path.read_text())
    summary["model"] = json.loads((model / "summary.json").read_text())["model"]
    summary |= {"method": model.parent.name, "trained_on": "brains"}
    summary["elsewhere"] = {"name": name, "test_dir": f"/data/{name}", "folder": f"/data/{name}", "labels": {}}
    path.write_text(json.dumps(summary))
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """A network inside and on two other sites, and another one inside alone."""
    inside = write_run(tmp_path / "brains_nacl" / "eval", 1.0)
    outside = [write_outside(inside.parent / f"eval_on_{name}", inside, name) for name in ("siteB", "brains")]
    return [*outside, inside, write_run(tmp_path / "brains_ce" / "eval", 1.0)]


def test_a_network_stands_inside_first_and_has_the_name_of_the_data(folders: list[Path]) -> None:
    runs = read_runs(folders)
    assert [run.name for run in runs] == ["brains_nacl", "brains_nacl", "brains_nacl", "brains_ce"]
    both = inside_and_outside(runs)
    assert [run.name for run in both] == [f"brains_nacl on {name}" for name in ("brains", "siteB", "brains")]
    assert [run.test_dir for run in both] == ["", "/data/siteB", "/data/brains"]
    assert inside_and_outside(runs[2:]) == []


def test_its_table_has_each_measure_and_case_count_and_marks_nothing(folders: list[Path]) -> None:
    table = outside_table(inside_and_outside(read_runs(folders)))
    rows = {row[0]: row[1:] for row in table.cells}
    assert rows["Dice"][0].startswith("0.812")
    assert rows["cases"] == ["3", "4", "4"]
    assert {"Dice, left", "Dice, right", "ECE, plausible"} <= rows.keys()
    assert not table.looks - {""}


def test_the_dice_of_each_structure_is_its_own(folders: list[Path]) -> None:
    for folder, value in zip(folders[:1] + folders[2:3], (0.0, 0.9), strict=True):
        names = [line.split(",")[0] for line in (folder / "cases.csv").read_text().splitlines()[1:]]
        lines = "".join(f"{name},{value},0.5\n" for name in names)
        (folder / "cases.csv").write_text("case,dice_foreground_left,dice_foreground_right\n" + lines)
    rows = {row[0]: row[1:] for row in outside_table(inside_and_outside(read_runs([folders[2], folders[0]]))).cells}
    assert [float(cell.split()[0]) for cell in rows["Dice, left"]] == [0.9, 0.0]
    assert [float(cell.split()[0]) for cell in rows["Dice, right"]] == [0.5, 0.5]
    assert not math.isnan(read_runs(folders[:1])[0].dice("d"))


@pytest.mark.usefixtures("undrawn")
def test_a_page_shows_both_beside_each_other_and_each_in_a_section(folders: list[Path], tmp_path: Path) -> None:
    assert main([*map(str, folders), "--out", str(tmp_path / "report")]) == 0
    page, tables = ((tmp_path / "report" / name).read_text() for name in ("report.html", "results.md"))
    assert page.index("Inside and outside") < page.index("Results on siteB")
    assert page.count("<h2>Results on brains</h2>") == 2
    assert "These are the labeled cases of /data/siteB, and the training was on brains." in page
    assert tables.startswith("### Inside and outside")
    assert (tmp_path / "report" / "inside_and_outside.png").is_file()
    assert main([str(folders[0]), "--out", str(tmp_path / "alone")]) == 0
    assert "Inside and outside" not in (tmp_path / "alone" / "report.html").read_text()
