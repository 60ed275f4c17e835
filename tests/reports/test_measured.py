"""Measured: values of runs have SciPy's intervals, and a mark only where chance does not explain it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from written_runs import with_value, write_run

from calib_monai.reports.measured import measured
from calib_monai.reports.run_files import read_run
from calib_monai.reports.runs import Run

CASES = "abcdefghijkl"


def runs_with(folder: Path, of_runs: list[list[float]]) -> list[Run]:
    """Runs of these NLL, one a case."""
    runs = [read_run(write_run(folder / f"run{place}", 1.0, cases=CASES)) for place in range(len(of_runs))]
    for run, values in zip(runs, of_runs, strict=True):
        run.metrics["nll_all"] = float(np.mean(values))
        for row, value in zip(run.cases.values(), values, strict=True):
            row["nll_all"] = value
    return runs


def test_an_interval_is_that_of_scipy_and_near_its_bootstrap(tmp_path: Path) -> None:
    values = np.random.default_rng(0).gamma(4, 0.01, len(CASES)).tolist()
    [nll] = [each for each in measured(runs_with(tmp_path, [values])) if each.title == "NLL (per 1000 voxels)"]
    found = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    [value] = nll.values
    assert value == (
        "run0",
        f"{1000 * np.mean(values):.1f}",
        f"({1000 * found.low:.1f} to {1000 * found.high:.1f})",
        "",
    )
    resampled = stats.bootstrap((values,), np.mean, rng=np.random.default_rng(0)).confidence_interval
    width = found.high - found.low
    assert resampled.low == pytest.approx(found.low, abs=0.2 * width)
    assert resampled.high == pytest.approx(found.high, abs=0.2 * width)


def test_a_mark_stands_where_each_case_says_so_and_not_where_chance_may(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    first = generator.gamma(4, 0.01, len(CASES))
    for name, off, marks in (
        ("chance", generator.normal(0.001, 0.01, len(CASES)), ["", ""]),
        ("sure", generator.normal(0.010, 0.001, len(CASES)), ["best", ""]),
    ):
        runs = runs_with(tmp_path / name, [first.tolist(), (first + off).tolist()])
        [nll] = [each for each in measured(runs) if each.title == "NLL (per 1000 voxels)"]
        assert [value.mark for value in nll.values] == marks


def test_a_count_has_no_interval_and_sentences_can_stand_without_values(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    with_value(run, "missed_structures", 1.0)
    run.metrics["missed_structures"] = 3.0
    [missed] = [each for each in measured([run]) if each.title == "missed structures"]
    assert missed.values == [("run", "3", "", "")]
    alone = measured([run], with_values=False)
    assert [each.sentence for each in alone] == [each.sentence for each in measured([run])]
    assert not any(each.values for each in alone)
