"""The report's table of conformal intervals: measured coverage beside what chance explains."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from written_runs import write_run

from calib_monai.reports.conformal import intervals_of_volumes
from calib_monai.reports.run_files import read_run
from calib_monai.reports.runs import Run

MANY = "abcdefghijklmnopqrst"


def run_with(folder: Path, covered: int) -> Run:
    """A run of 20 cases of which so many are covered in one structure, and all in the other."""
    write_run(folder, 1.0, cases=MANY)
    lines = (folder / "cases.csv").read_text().splitlines()
    head, rows = lines[0] + ",covered_volumes_left,covered_volumes_right,interval_width_left,interval_width_right", []
    for number, line in enumerate(lines[1:]):
        rows.append(f"{line},{float(number < covered)},1.0,0.{number:02},nan")
    (folder / "cases.csv").write_text("\n".join([head, *rows, ""]))
    summary = json.loads((folder / "summary.json").read_text())
    settings = {"coverage": 0.9, "validation_cases": 25}
    summary["metrics"]["covered_volumes"] = {"value": 0.9, "settings": settings}
    summary["metrics"]["interval_width"] = {"value": 0.1, "settings": settings}
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


def test_runs_without_intervals_have_no_table(tmp_path: Path) -> None:
    assert intervals_of_volumes([read_run(write_run(tmp_path / "run", 1.0))]) is None
