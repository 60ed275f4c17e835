"""Effects: a report says whether a calibrator helps on the measured cases."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from pathlib import Path

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
    known = [row["nll_all"] for row in after.cases.values() if row["nll_all"] == row["nll_all"]]
    after.metrics["nll_all"] = sum(known) / len(known)
    return [before, replace(after, calibrator="ts", model=before.model)]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ((-0.001, -0.002, -0.003) * 2, "changes NLL by -2.0 (-2.9 to -1.1): it helps in cases like these."),
        ((0.001, 0.002, 0.003) * 2, "changes NLL by 2.0 (1.1 to 2.9): do not use it."),
        ((-0.001, 0.002) * 3, "(-1.2 to 2.2), so it is not shown to help: there is no reason to use it."),
        ((0.001, -0.002) * 3, "changes NLL by -0.5 (-2.2 to 1.2), so it is not shown to help."),
        ((-0.002, -0.002, nan), "changes NLL by -2.0 in 2 case(s), which are too few to tell."),
    ],
)
def test_the_effect_of_a_temperature_is_told(tmp_path: Path, changes: tuple[float, ...], told: str) -> None:
    runs = with_changes(tmp_path, *changes)
    assert told in what_to_do(runs[1], runs)
    effect = effect_of(runs[1], runs)
    assert effect is not None
    assert effect.is_shown == ("it helps" in told)
    assert effect_of(runs[0], runs) is None


def test_cases_of_a_patient_count_once_in_an_effect(tmp_path: Path) -> None:
    before, after = with_changes(tmp_path, *((-0.001, -0.002, -0.003) * 2))
    patients = dict.fromkeys("abc", "one") | dict.fromkeys("def", "other")
    known = replace(after, patients=patients)
    assert "in 6 case(s), which are too few to tell" in what_to_do(known, [before, known])


def test_a_temperature_of_another_model_has_no_effect_here(tmp_path: Path) -> None:
    before, after = with_changes(tmp_path, 0.001, 0.002)
    other = replace(after, model="other.pt")
    assert what_to_do(other, [before, other]) == ""
