"""Comparable: no run is best by a measure of voxels that its network chose, unless all chose about equally many."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from math import nan
from pathlib import Path

import pytest
from written_runs import MANY, with_value, write_run

from calib_monai.bins import Bins
from calib_monai.measures import ALIKE, ALWAYS, NEVER, measure_of
from calib_monai.regions import REGIONS
from calib_monai.reports.comparable import not_compared
from calib_monai.reports.results import results_tables
from calib_monai.reports.run_files import read_run
from calib_monai.reports.runs import Run


def runs_with(folder: Path, name: str, shares: tuple[float, ...]) -> list[Run]:
    """Runs, each better than the next by a measure, whose network chose such a share of the voxels."""
    runs = [read_run(write_run(folder / f"run{place}", 1.0, cases=MANY)) for place in range(len(shares))]
    for place, run in enumerate(runs, 1):
        with_value(run, name, 0.1 * place)
    return [replace(run, voxels={name: share * run.num_voxels}) for run, share in zip(runs, shares, strict=True)]


@pytest.mark.parametrize("region", REGIONS)
def test_scores_are_compared_only_where_no_network_chooses_the_voxels(region: str) -> None:
    chosen = region in ("plausible", "band", "union")
    for kind in ("nll", "brier"):
        assert measure_of(f"{kind}_{region}").compared == (NEVER if chosen else ALWAYS)
    for kind in ("ece", "cece", "tace"):
        assert measure_of(f"{kind}_{region}_pooled").compared == (ALIKE if chosen else ALWAYS)


@pytest.mark.parametrize("region", REGIONS)
def test_scores_of_all_regions_have_one_unit(region: str) -> None:
    assert measure_of(f"nll_{region}").shown(0.2914) == "291.4"
    assert "(per 1000 voxels)" in measure_of(f"brier_{region}").title


@pytest.mark.parametrize(
    ("name", "shares", "best"),
    [
        ("nll_plausible", (0.1, 0.1), False),
        ("nll_foreground", (0.1, 0.1), True),
        ("nll_all", (1.0, 1.0), True),
        ("ece_plausible", (0.10, 0.14), True),
        ("ece_plausible", (0.10, 0.13, 1.0), False),
        ("ece_plausible", (0.16, 0.10), False),
        ("cece_band_5", (0.02, 0.2), False),
        ("ece_union", (0.02, 0.025), True),
    ],
)
def test_a_run_is_best_only_where_runs_were_measured_on_like_voxels(
    tmp_path: Path, name: str, shares: tuple[float, ...], *, best: bool
) -> None:
    runs = runs_with(tmp_path, name, shares)
    title = measure_of(name).title
    [(table, column)] = [(table, table.header.index(title)) for table in results_tables(runs) if title in table.header]
    assert next(row[column] for row in table.marks) == ("best" if best else "")
    assert (" not compared" in table.note) is not best
    assert not_compared({name: measure_of(name)}, runs[:1]) == {}


def test_the_note_says_what_share_each_network_chose(tmp_path: Path) -> None:
    name = "ece_plausible"
    assert (
        "10.0% of all voxels (run0), 100.0% of all voxels (run1)"
        in not_compared({name: measure_of(name)}, runs_with(tmp_path, name, (0.1, 1.0)))[name]
    )


@pytest.mark.parametrize("shares", [*permutations((0.08, nan)), *permutations((0.08, 0.09, nan)), (nan, nan)])
def test_runs_are_not_compared_if_the_share_of_any_is_not_known(tmp_path: Path, shares: tuple[float, ...]) -> None:
    name = "ece_plausible"
    told = not_compared({name: measure_of(name)}, runs_with(tmp_path, name, shares))
    assert "their number was not recorded" in told[name]


def test_voxels_that_were_not_noted_are_those_of_the_diagrams_or_not_known(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    assert run.share_of("ece_plausible") == run.share_of_voxels == run.bins.total.item() / run.num_voxels
    few = replace(run, name="few", bins=Bins(*(part / 2 for part in vars(run.bins).values())))
    with_value(few, "ece_union", 0.1)
    with_value(run, "ece_union", 0.2)
    measures = {name: measure_of(name) for name in ("ece_plausible", "ece_union")}
    told = not_compared(measures, [run, few])
    assert "more than 1.5 times as many" in told["ece_plausible"]
    assert "their number was not recorded" in told["ece_union"]
