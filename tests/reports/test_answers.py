"""Answers: the page says at its top whether a network is overconfident, and whether its cases show that."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from pathlib import Path

import pytest
import torch
from written_runs import write_run

from calib_monai.bins import Bins
from calib_monai.reports.answers import answer, beside, remedy
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
        ((0.05, 0.06, 0.07) * 2, "overconfident by 6.0% (5.1% to 6.9%)."),
        ((-0.05, -0.06, -0.07) * 2, "underconfident by 6.0% (5.1% to 6.9%)."),
        ((0.005, 0.006, 0.007) * 2, "overconfident by 0.6% (0.5% to 0.7%), which is little."),
        ((-0.05, 0.06) * 3, "no difference is shown by 6 cases: +0.5% (-5.8% to +6.8%, + is overconfident)."),
        ((0.001, 0.001, nan), "overconfident by 0.1% on average of 2 cases, which are too few to tell."),
        ((0.06,), "overconfident by 6.0% in the only case; one case is too few to tell."),
        ((0.0001, -0.0001, 0.0), "no difference is seen in 3 cases, which are too few to tell."),
        ((0.0,), "no difference is seen in the only case; one case is too few to tell."),
        ((nan, nan), "not known, because no case has such voxels."),
    ],
)
def test_a_run_is_too_sure_or_not_sure_enough(tmp_path: Path, gaps: tuple[float, ...], told: str) -> None:
    assert answer(with_gaps(read_run(write_run(tmp_path / "run", 1.0)), *gaps)) == told


@pytest.mark.parametrize(
    ("gaps", "calibrator", "region", "told"),
    [
        ((0.05, 0.06, 0.07) * 2, "none", "plausible", True),
        ((-0.05, -0.06, -0.07) * 2, "none", "plausible", True),
        ((0.05, 0.06, 0.07) * 2, "ts", "plausible", False),
        ((0.05, 0.06, 0.07) * 2, "none", "foreground", False),
        ((0.005, 0.006, 0.007) * 2, "none", "plausible", False),
        ((-0.05, 0.08) * 3, "none", "plausible", False),
        ((0.06, 0.06, 0.06), "none", "plausible", False),
        ((nan, nan), "none", "plausible", False),
    ],
)
def test_a_gap_that_cases_show_has_a_remedy(
    tmp_path: Path, gaps: tuple[float, ...], calibrator: str, region: str, *, told: bool
) -> None:
    run = with_gaps(read_run(write_run(tmp_path / "run", 1.0)), *gaps)
    said = remedy(replace(run, calibrator=calibrator, region=region))
    assert ("A temperature may mend this: see docs/calibrate.md" in said) == told


@pytest.mark.parametrize("dice", [0.499, 0.5])
def test_a_network_that_segments_poorly_is_not_believed_for_its_ece(tmp_path: Path, dice: float) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    run.metrics["dice_foreground"] = dice
    assert ("Its Dice is below 0.5: look at" in beside(run)) == (dice < 0.5)


@pytest.mark.parametrize("cases", [None, 2, 9, 10])
def test_a_calibrator_that_was_fitted_to_few_cases_is_told(tmp_path: Path, cases: int | None) -> None:
    run = replace(read_run(write_run(tmp_path / "run", 1.0)), fitted_patients=cases)
    assert (f"Its calibrator was fitted to {cases} patient(s): too few to know" in beside(run)) == (cases in (2, 9))


@pytest.mark.usefixtures("undrawn")
def test_the_page_answers_its_title_first(tmp_path: Path) -> None:
    run = with_gaps(read_run(write_run(tmp_path / "run", 1.0, cases="abcdef")), *(0.05, 0.06, 0.07) * 2)
    run.metrics["volume_difference"] = -0.1
    for row, left in zip(run.cases.values(), (-0.1, -0.12, -0.08) * 2, strict=True):
        row |= {"volume_difference_left": left, "volume_difference_right": nan}
    write_report([replace(run, name="mine")], tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.index("<h1>") < page.index("<li>mine: overconfident by 6.0%") < page.index("<h2>")
    assert "Dice 0.812; ECE, plausible 0.044; volumes: left -10.0 %." in page
    assert "Volume difference (%) of each structure" in page
    assert "mine: left is too small on average." in page
    assert "docs/measures.md" in page
    assert "not known, because the label chose the voxels." in answer(replace(run, region="foreground"))
