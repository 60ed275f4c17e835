"""The report's table of conformal intervals: measured coverage beside what chance explains."""

from __future__ import annotations

import json
from dataclasses import replace
from math import nan
from pathlib import Path

import pytest
from written_runs import write_run

from calib_monai.reports.conformal import intervals_of_volumes, margins_of_structures
from calib_monai.reports.run_files import read_run
from calib_monai.reports.runs import Run

MANY = "abcdefghijklmnopqrst"
OF_RIGHT = (1.0, "nan", "nan", "nan")
MEASURED = ("covered_volumes", "interval_width", "miss_rate_margin", "margin_size")


def run_with(folder: Path, covered: int = 20, missed: float = 0.03) -> Run:
    """A run of 20 cases of which so many are covered in one structure, and all in the other."""
    write_run(folder, 1.0, cases=MANY)
    lines = (folder / "cases.csv").read_text().splitlines()
    names = [f"{measure}_{side}" for measure in MEASURED for side in ("left", "right")]
    head, rows = ",".join([lines[0], *names]), []
    for number, line in enumerate(lines[1:]):
        of_left = [float(number < covered), number / 100, missed + number / 1000, 1 + number / 100]
        rows.append(",".join([line, *(f"{one},{other}" for one, other in zip(of_left, OF_RIGHT, strict=True))]))
    (folder / "cases.csv").write_text("\n".join([head, *rows, ""]))
    summary = json.loads((folder / "summary.json").read_text())
    settings = {"coverage": 0.9, "validation_cases": 25, "miss_rate": 0.05}
    summary["metrics"] |= {name: {"value": 0.5, "settings": settings} for name in MEASURED}
    (folder / "summary.json").write_text(json.dumps(summary))
    return read_run(folder)


@pytest.mark.parametrize(("covered", "said"), [(20, ""), (18, ""), (10, "fewer cases than chance explains")])
def test_coverage_stands_beside_its_range(tmp_path: Path, covered: int, said: str) -> None:
    table = intervals_of_volumes([run_with(tmp_path / "run", covered)])
    assert table is not None
    left, right = table.cells
    assert left == ["run: left", f"{5 * covered:.1f}", "20", "90.0", "75.0 to 100.0", "9.5"]
    assert right == ["run: right", "100.0", "20", "90.0", "75.0 to 100.0", "-"]
    assert len(table.listed) == bool(said)
    assert all(said in line for line in table.listed)


@pytest.mark.parametrize(("covered", "shown", "told"), [(20, "100.0", False), (10, "90.9", False), (5, "45.5", True)])
def test_a_patient_counts_once_and_has_no_range_with_several_cases(
    tmp_path: Path,
    covered: int,
    shown: str,
    told: bool,  # noqa: FBT001 - what is expected
) -> None:
    """The last ten cases are of one patient, the others of ten."""
    run = run_with(tmp_path / "run", covered)
    table = intervals_of_volumes([replace(run, patients=dict.fromkeys(MANY[10:], "one"))])
    assert table is not None
    assert table.cells[0][1:5] == [shown, "20", "90.0", "-"]
    assert bool(table.listed) == told
    assert all("left is covered less often than promised" in line for line in table.listed)


def test_a_fit_to_several_cases_of_a_patient_has_no_range(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run")
    run.settings["covered_volumes"]["validation_patients"] = 20
    table = intervals_of_volumes([run])
    assert table is not None
    assert table.cells[0][4] == "-"


def test_a_case_of_ignored_voxels_alone_is_left_out(tmp_path: Path) -> None:
    run = run_with(tmp_path / "run")
    run.cases["a"] |= {"covered_volumes_left": nan, "covered_volumes_right": nan}
    table = intervals_of_volumes([run])
    assert table is not None
    assert table.cells[0][:4] == ["run: left", "100.0", "19", "90.0"]
    assert not table.listed


@pytest.mark.parametrize(
    ("missed", "shown", "said"),
    [(0.03, "4.0 (3.7 to 4.2)", ""), (0.051, "6.0 (5.8 to 6.3)", "misses more than it promises")],
)
def test_what_a_margin_missed_stands_beside_its_promise(tmp_path: Path, missed: float, shown: str, said: str) -> None:
    table = margins_of_structures([run_with(tmp_path / "run", missed=missed)])
    assert table is not None
    left, right = table.cells
    assert left == ["run: left", shown, "20", "5.0", "109.5"]
    assert right == ["run: right", "-", "0", "5.0", "-"]
    assert len(table.listed) == bool(said)
    assert all(said in line for line in table.listed)


def test_runs_without_promises_have_no_table(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    assert intervals_of_volumes([run]) is None
    assert margins_of_structures([run]) is None
