"""Trials on labeled data of others stand in sections of their own, and beside those of the training's test cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from written_runs import write_trial

from calib_monai.experiments.__main__ import main
from calib_monai.experiments.elsewhere import by_place, elsewhere_table
from calib_monai.experiments.grouping import rows_of
from calib_monai.experiments.trial_files import read_trial
from calib_monai.reports.results import shown_measures

DICE = {"ce": [0.6, 0.7, 0.8], "nacl": [0.7, 0.8, 0.9]}


def moved(folder: Path, name: str, **others: object) -> Path:
    """The folder of a trial that measured data of this name."""
    summary = json.loads((folder / "summary.json").read_text())
    about = {"name": name, "test_dir": f"/data/{name}", "folder": f"/data/{name}", "labels": {}}
    (folder / "summary.json").write_text(json.dumps(summary | {"dataset": name, "elsewhere": about} | others))
    return folder


def trials_in(out: Path, *places: str) -> list[Path]:
    """Trials of two methods on the test cases, and on other cases of each place with a Dice lower by 0.2."""
    found = [write_trial(out, name, dice) for name, dice in DICE.items()]
    for place in places:
        found += [
            moved(write_trial(out, name, [v - 0.2 for v in dice], cases="xyz", evaluation=f"eval_on_{place}"), place)
            for name, dice in DICE.items()
        ]
    return found


@pytest.mark.usefixtures("undrawn")
def test_data_of_others_are_measured_apart_and_shown_beside_the_test_cases(tmp_path: Path) -> None:
    folders = trials_in(tmp_path, "vendor_2", "vendor_b")
    shifted = write_trial(tmp_path, "ce", [0.1, 0.2, 0.3], evaluation="eval_noise_0.1")
    summary = json.loads((shifted / "summary.json").read_text())
    (shifted / "summary.json").write_text(json.dumps(summary | {"disturbance": [{"transform": "Noise"}]}))
    out = tmp_path / "tables"
    main([*map(str, folders[::-1]), str(shifted), "--out", str(out), "--axis", "noise", "--plain", "0"])
    found = json.loads((out / "results.json").read_text())
    assert sorted(found["rows"]) == ["ce", "ce noise 0.1", "nacl"]
    assert sorted(found["elsewhere"]) == ["on_vendor_2", "on_vendor_b"]
    of_vendor = found["elsewhere"]["on_vendor_2"]["rows"]["nacl on vendor 2"]
    assert of_vendor["measures"]["dice_foreground"]["mean"] == pytest.approx(0.6)
    assert found["elsewhere"]["on_vendor_b"]["dataset"] == "vendor_b"
    assert not any("/data/" in (out / name).read_text() for name in ("results.json", "trials.json"))
    page = (out / "results.md").read_text()
    assert "Inside and outside" in page
    assert "## vendor_2" in page
    assert "vendor_b: Means" in (out / "results.tex").read_text().replace("\\_", "_")


def test_the_table_has_a_line_for_each_network_and_a_column_for_each_of_the_data(tmp_path: Path) -> None:
    folders = trials_in(tmp_path, "vendor_a")
    calibrated = write_trial(tmp_path, "ce", DICE["ce"], cases="xyz", evaluation="eval_on_vendor_a_ts")
    folders.append(moved(calibrated, "vendor_a", calibrator="ts"))
    inside, *outside = map(rows_of, by_place([read_trial(folder) for folder in folders]))
    table = elsewhere_table(inside, outside, shown_measures([row.run for row in inside]))
    assert table.header[:3] == ["", "Dice, brains", "Dice, vendor_a"]
    assert {cells[0]: cells[1:3] for cells in table.cells} == {
        "ce, unet": ["0.700", "0.500"],
        "nacl, unet": ["0.800", "0.600"],
        "ce, unet + TS": ["-", "0.700"],
    }
