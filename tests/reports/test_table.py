"""Tables: whatever a name holds, a cell stays a cell, and a picture stays in the folder of the report."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from written_runs import write_run

from calib_monai.reports.report import write_report
from calib_monai.reports.run_files import read_run
from calib_monai.reports.table import Table

CELLS = Table(
    "two\nlines", ["", "h|h"], [["a|b *c* <d> \\", "1 < 2"], ["[x]", "line\nbreak"]], [["", ""], ["", "best"]]
)


def test_markdown_keeps_a_name_in_its_cell() -> None:
    header, _, first, second = CELLS.markdown().splitlines()
    assert [cell.strip() for cell in header[1:-1].replace("\\|", "@").split("|")] == ["", "h@h"]
    assert "| a\\|b \\*c\\* \\<d> \\\\ |" in first
    assert "1 < 2 |" in first
    assert "**line break** |" in second


def test_latex_takes_no_letter_of_a_name_for_a_command() -> None:
    table = Table("", ["", "R^2 {x} $y$ ~ \\z"], [["*a", "50 %"]], [["", ""]])
    latex = table.latex()
    assert r"R\textasciicircum{}2 \{x\} \$y\$ \textasciitilde{} \textbackslash{}z" in latex
    assert r"{*}a & 50 \%" in latex
    assert r"{[}x] & \textbf{line break}" in CELLS.latex()
    assert CELLS.latex().startswith("% two lines\n")
    table = Table("50 % \x00", ["", "a--b ''c'' ?`d\x1b"], [['"a', ",,"]], [["", ""]])
    title, _, _, header, _, row, *_ = table.latex().splitlines()
    assert title == r"% 50 \% ?"
    assert header == r" & a-{}-b '{}'c'{}' ?{}`d? \\"
    assert row == r"\symbol{34}a & ,{}, \\"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX is installed")
def test_latex_compiles_whatever_a_name_holds(tmp_path: Path) -> None:
    odd = Table(
        "50 % \x00", ["", "a--b ''c'' ?`d\x1b", "R^2 {x} $y$ ~ \\z"], [['"a', ",,", "± 1 < 2"]], [["", "best", ""]]
    )
    tables = "\n\n".join(table.latex() for table in (CELLS, odd))
    (tmp_path / "all.tex").write_text(
        rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{tables}\end{{document}}", encoding="utf-8"
    )
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "all.tex"]
    done = subprocess.run(command, check=False, capture_output=True, cwd=tmp_path)  # noqa: S603
    assert done.returncode == 0, done.stdout[-1000:]
    assert (tmp_path / "all.pdf").is_file()


@pytest.mark.usefixtures("undrawn")
def test_the_name_of_a_data_set_leads_no_picture_out_of_the_report(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / name, 1.0) for name in ("one", "two", "three")]
    for folder, dataset in zip(folders, ("../../evil/x", "a/b", "a_b"), strict=True):
        summary = json.loads((folder / "summary.json").read_text())
        (folder / "summary.json").write_text(json.dumps({**summary, "dataset": dataset}))
    before = set(tmp_path.rglob("*"))
    out = tmp_path / "deep" / "report"
    runs = [read_run(folder) for folder in folders]
    written = write_report([*runs[:2], replace(runs[2])], out)
    assert {path.parent for path in written} == {out}
    assert all(path.parent == out for path in set(tmp_path.rglob("*")) - before if path.is_file())
    assert len(set(written)) == len(written) == 2 + 3 * 6 + 1  # three sections of six pictures, page, table, radar
