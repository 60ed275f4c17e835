"""Effects: a report says whether a calibrator helps on the measured cases."""

from __future__ import annotations

from dataclasses import replace
from math import inf, isnan, nan
from pathlib import Path
from typing import Any

import pytest
from written_runs import with_value, write_run

from calib_monai.reports.answers import what_to_do
from calib_monai.reports.effects import effect_of
from calib_monai.reports.run_files import read_run
from calib_monai.reports.runs import Run


def with_changes(folder: Path, *changes: float) -> list[Run]:
    """A run, and the same with a temperature that changes the NLL of each case."""
    cases = "abcdefghijkl"[: len(changes)]
    before, after = (read_run(write_run(folder / name, 1.0, cases=cases)) for name in ("before", "after"))
    with_value(before, "nll_all", 0.02)
    with_value(after, "nll_all", 0.02)
    for row, change in zip(after.cases.values(), changes, strict=True):
        row["nll_all"] += change
    known = [value for row in after.cases.values() if not isnan(value := row["nll_all"])]
    after.metrics["nll_all"] = sum(known) / len(known)
    return [before, replace(after, calibrator="ts", model=before.model, weights=before.weights)]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            (-0.001, -0.002, -0.003) * 2,
            "by -2.0 per 1000 voxels (-2.9 to -1.1): it helps in cases like these.",
        ),
        ((0.001, 0.002, 0.003) * 2, "changes NLL by 2.0 per 1000 voxels (1.1 to 2.9): do not use it."),
        ((-0.001, 0.002) * 3, "(-1.2 to 2.2), so it is not shown to help: there is no reason to use it."),
        ((0.001, -0.002) * 3, "changes NLL by -0.5 per 1000 voxels (-2.2 to 1.2), so it is not shown to help."),
        ((-0.002, -0.002, nan), "by -2.0 per 1000 voxels in 2 case(s) of 2 patient(s), which are too few to tell."),
        ((-0.002, -0.002, -inf), "by -2.0 per 1000 voxels in 2 case(s) of 2 patient(s), which are too few to tell."),
        ((-0.00001, -0.00002, -0.00003) * 2, "Its calibrator hardly changes NLL."),
    ],
)
def test_the_effect_of_a_temperature_is_told(tmp_path: Path, changes: tuple[float, ...], told: str) -> None:
    runs = with_changes(tmp_path, *changes)
    assert told in what_to_do(runs[1], runs)
    effect = effect_of(runs[1], runs)
    assert effect is not None
    assert effect.is_shown == (max(changes) < 0 and len(changes) == 6)
    assert effect_of(runs[0], runs) is None


def test_a_training_between_two_runs_is_no_effect_of_a_calibrator(tmp_path: Path) -> None:
    before, after = with_changes(tmp_path, *((-0.001, -0.002, -0.003) * 2))
    before, after = replace(before, weights="a"), replace(after, weights="b", method=before.method)
    assert effect_of(after, [before, after]) is None
    assert "weights changed between before and this run, which tells no effect" in what_to_do(after, [before, after])
    for known in ("a", ""):
        assert effect_of(replace(after, weights=known), [before, after])


def test_cases_of_a_patient_count_once_in_an_effect(tmp_path: Path) -> None:
    before, after = with_changes(tmp_path, *((-0.001, -0.002, -0.003) * 2))
    patients = dict.fromkeys("abc", "one") | dict.fromkeys("def", "other")
    known = replace(after, patients=patients)
    assert "in 6 case(s) of 2 patient(s), which are too few to tell" in what_to_do(known, [before, known])


def test_a_temperature_of_another_model_has_no_effect_here(tmp_path: Path) -> None:
    before, after = with_changes(tmp_path, 0.001, 0.002)
    other = replace(after, model="other.pt")
    assert what_to_do(other, [before, other]) == ""


@pytest.mark.parametrize(
    "changed",
    [
        {"disturbance": [{"transform": "RandGaussianNoised", "std": 0.1}]},
        {"part": "validation"},
        {"settings": {"nll_all": {"ignore_index": 255}}},
    ],
)
def test_runs_that_were_measured_otherwise_show_no_effect(tmp_path: Path, changed: dict[str, Any]) -> None:
    before, after = with_changes(tmp_path, *((0.001, 0.002, 0.003) * 2))
    before = replace(before, disturbance=[], settings={"nll_all": {"ignore_index": None}})
    after = replace(after, disturbance=[], settings=before.settings)
    other = replace(after, **changed)
    assert effect_of(other, [before, other]) is None
    of_other = replace(before, name="of other", **changed)
    effect = effect_of(other, [before, of_other, other])
    assert effect is not None
    assert effect.mean == pytest.approx(0.002)


def test_nothing_is_advised_for_several_trainings(tmp_path: Path) -> None:
    run = replace(with_changes(tmp_path, *((0.001, 0.002, 0.003) * 2))[0], model="")
    assert what_to_do(run, [run]) == ""
