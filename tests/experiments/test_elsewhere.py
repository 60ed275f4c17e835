"""Trials on labeled data of others stand in sections of their own, and beside those of the training's test cases."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from written_runs import write_trial

from calib_monai.experiments.__main__ import main
from calib_monai.experiments.elsewhere import by_place, elsewhere_table
from calib_monai.experiments.grouping import rows_of
from calib_monai.experiments.trial_files import read_trial
from calib_monai.reports.results import shown_measures

DICE = {"ce": [0.6, 0.7, 0.8], "nacl": [0.7, 0.8, 0.9]}


def moved(folder: Path, name: str, root: str = "/data", **others: object) -> Path:
    """The folder of a trial that measured data of this name."""
    summary = json.loads((folder / "summary.json").read_text())
    about = {"name": name, "test_dir": f"{root}/{name}", "folder": f"{root}/{name}", "labels": {}}
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


def test_averaged_trainings_have_a_line_of_their_own(tmp_path: Path) -> None:
    folders = trials_in(tmp_path, "vendor_a")
    for evaluation, cases, dice in (("eval_ensemble", "abc", 0.9), ("eval_on_vendor_a_ensemble", "xyz", 0.8)):
        folder = write_trial(tmp_path, "ce", [dice] * 3, cases=cases, evaluation=evaluation)
        record = json.loads((folder / "evaluate.json").read_text())
        record["options"]["--ckpt_dirs"] = "['a', 'b']"
        (folder / "evaluate.json").write_text(json.dumps(record))
        folders.append(folder if cases == "abc" else moved(folder, "vendor_a"))
    inside, *outside = map(rows_of, by_place([read_trial(folder) for folder in folders]))
    cells = elsewhere_table(inside, outside, shown_measures([row.run for row in inside])).cells
    lines = {line[0]: line[1:3] for line in cells}
    assert lines["ce, unet"] == ["0.700", "0.500"]
    assert lines["ce ensemble, unet"] == ["0.900", "0.800"]


def trial_on(out: Path, name: str, called: str, root: str = "/data", **of_trial: Any) -> list[str]:
    """A training on its test cases, and on data that are called like this."""
    plain = {"seed": of_trial.get("seed", 0)}
    inside = write_trial(out, name, DICE[name], **plain)
    outside = write_trial(out, name, DICE[name], **{"evaluation": "eval_on_vendor", "cases": "xyz"} | of_trial)
    return [str(inside), str(moved(outside, called, root))]


@pytest.mark.usefixtures("undrawn")
def test_a_file_and_folders_are_on_the_same_data_if_these_have_the_same_name(tmp_path: Path) -> None:
    first, second = (trial_on(tmp_path, "ce", "vendor", seed=seed) for seed in (0, 1))
    main([*first, "--out", str(tmp_path / "first")])
    main([*first, *second, "--out", str(tmp_path / "whole")])
    main([str(tmp_path / "first" / "trials.json"), *second, "--out", str(tmp_path / "joined")])
    found = json.loads((tmp_path / "joined" / "results.json").read_text())
    assert list(found["elsewhere"]) == ["on_vendor"]
    assert found["elsewhere"]["on_vendor"]["seeds"] == [0, 1]


@pytest.mark.usefixtures("undrawn")
def test_different_data_of_one_name_are_refused(tmp_path: Path) -> None:
    a, b = (
        trial_on(tmp_path / hospital, "ce", "images", f"/srv/{hospital}", evaluation=f"eval_on_vendor_{hospital}")
        for hospital in "ab"
    )
    with pytest.raises(
        ValueError,
        match=r"_a and .*vendor_b measured different data that are both called images: /srv/a/images and /srv/b/im",
    ):
        main([*a, b[1], "--out", str(tmp_path / "both")])
    bins = Path(b[1], "bins.json")
    bins.write_text(bins.read_text().replace('"num_voxels": 480', '"num_voxels": 500'))
    files = [str(tmp_path / f"of_{hospital}" / "trials.json") for hospital in "ab"]
    for given, file in zip((a, b), files, strict=True):
        main([*given, "--out", str(Path(file).parent)])
    with pytest.raises(ValueError, match="that are both called images: 1440 and 1500 voxels; rename one"):
        main([*files, "--out", str(tmp_path / "both")])


@pytest.mark.parametrize(
    ("cases", "voxels", "said"),
    [
        ("xyw", {}, "only one of them has the case w"),
        ("xyz", {"voxels": {"ece_foreground": 7.0}}, "9 and 7 voxels of structures"),
    ],
)
def test_cases_and_voxels_tell_data_of_one_name_apart(
    cases: str, voxels: dict[str, Any], said: str, tmp_path: Path
) -> None:
    [_, one], [_, other] = (
        trial_on(tmp_path, "ce", "images", seed=seed, cases=of) for seed, of in enumerate(("xyz", cases))
    )
    trials = [read_trial(Path(folder)) for folder in (one, other)]
    trials[0] = replace(trials[0], run=replace(trials[0].run, voxels={"ece_foreground": 9.0}))
    with pytest.raises(ValueError, match=f"both called images: {said}; rename one"):
        by_place([trials[0], replace(trials[1], run=replace(trials[1].run, **voxels))])


def test_evaluations_of_one_name_on_different_data_are_refused(tmp_path: Path) -> None:
    folders = [*trial_on(tmp_path, "ce", "vendor"), *trial_on(tmp_path, "nacl", "other")]
    with pytest.raises(ValueError, match="are both evaluations on_vendor, and measured vendor and other; eval"):
        main([*folders, "--out", str(tmp_path / "both")])
