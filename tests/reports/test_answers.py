"""Answers: the page says at its top whether a network is too sure, and whether its cases show that."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from pathlib import Path

import pytest
import torch
from written_runs import write_run

from calib_monai.bins import Bins
from calib_monai.reports.answers import answer
from calib_monai.reports.report import write_report
from calib_monai.reports.run_files import read_run
from calib_monai.reports.runs import Run


def with_gaps(run: Run, *gaps: float) -> Run:
    """The run with cases whose mean confidence is .5 and whose share of right voxels is less by these gaps."""
    one = torch.tensor([100.0])
    bins = {f"{place}": Bins(one, one * 0.5, one * (0.5 - gap), one[0]) for place, gap in enumerate(gaps)}
    return replace(run, case_bins=bins)


@pytest.mark.parametrize(
    ("gaps", "told"),
    [
        ((0.05, 0.06, 0.07), "too sure by 6.0% (+3.5% to +8.5%)."),
        ((-0.05, -0.06, -0.07), "not sure enough by 6.0% (-8.5% to -3.5%)."),
        ((0.005, 0.006, 0.007), "too sure by 0.6% (+0.4% to +0.8%), which is little."),
        ((-0.05, 0.06, nan), "no difference that 2 case(s) could show: +0.5% (-69.4% to +70.4%)."),
        ((0.06,), "too sure by 6.0% in the only case."),
        ((nan, nan), "not known, for no case has such voxels."),
    ],
)
def test_a_run_is_too_sure_or_not_sure_enough(tmp_path: Path, gaps: tuple[float, ...], told: str) -> None:
    assert answer(with_gaps(read_run(write_run(tmp_path / "run", 1.0)), *gaps)) == told


@pytest.mark.usefixtures("undrawn")
def test_the_page_answers_its_title_first(tmp_path: Path) -> None:
    run = with_gaps(read_run(write_run(tmp_path / "run", 1.0)), 0.05, 0.06, 0.07)
    write_report([replace(run, name="mine")], tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.index("<h1>") < page.index("<li>mine: too sure by 6.0%") < page.index("<h2>")
    assert "docs/measures.md" in page
    assert "not known, for the label chose the voxels." in answer(replace(run, region="foreground"))
