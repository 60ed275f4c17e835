"""Kept trials: tables whose trainings ran apart become the table of one run."""

from __future__ import annotations

import csv
import json
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from written_runs import write_trial

from calib_monai.experiments.__main__ import main, trials_at
from calib_monai.experiments.grouping import rows_of
from calib_monai.experiments.kept_trials import read_trials, write_trials
from calib_monai.experiments.trial_files import read_trial

CASES = {"ce": [0.7, 0.8, 0.9, 0.75, 0.85, 0.6], "nacl": [0.72, 0.83, 0.94, 0.77, 0.86, 0.66]}


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture is drawn."""
    for module in ("experiments.__main__", "reports.report"):
        monkeypatch.setattr(f"calib_monai.{module}.drawn", lambda *_: b"png")


def trials(
    out: Path,
    names: Iterable[str] = CASES,
    seeds: Sequence[int] = (0, 1),
    folds: Sequence[int] = (0,),
    evaluation: str = "",
) -> list[Path]:
    """Trials with two structures, patients, a missed structure, and a distance that one case of one seed lacks."""
    found = []
    for name in names:
        for seed in seeds:
            for fold in folds:
                for one in dict.fromkeys(("eval", f"eval_{evaluation}" if evaluation else "eval")):
                    cases = "abcdef" if fold == 0 else "ghijkl"
                    dice = [value - 0.003 * seed for value in CASES[name.partition("-")[0]]]
                    found.append(write_trial(out, name, dice, seed=seed, fold=fold, evaluation=one, cases=cases))
                    widen(found[-1], seed)
    return found


def widen(folder: Path, seed: int) -> None:
    """Add columns to `cases.csv`, the metrics to `summary.json`, and options to the record of the evaluation."""
    with (folder / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for place, row in enumerate(rows):
        dice = float(row["dice_foreground_left"])
        row |= {"dice_foreground_right": str(dice - 0.05), "patient": f"p{place // 2}" if seed else ""}
        row |= {"hd95_mm_left": str(3 - dice), "hd95_mm_right": "nan" if place == seed == 1 else str(4 - dice)}
        row |= {f"missed_structures_{side}": str(int(place == 2 and side == "left")) for side in ("left", "right")}
    with (folder / "cases.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    summary = json.loads((folder / "summary.json").read_text())

    def mean_of(name: str) -> float:
        values = [[float(row[f"{name}_{side}"]) for side in ("left", "right")] for row in rows]
        known = [[value for value in row if value == value] for row in values]  # noqa: PLR0124 - not NaN
        return sum(sum(row) / len(row) for row in known) / len(known)

    summary["metrics"] |= {name: {"value": mean_of(name)} for name in ("dice_foreground", "hd95_mm")}
    summary["metrics"]["missed_structures"] = {"value": 1.0}
    (folder / "summary.json").write_text(json.dumps(summary))
    record = json.loads((folder / "evaluate.json").read_text())
    record["options"] = {"--evaluated": folder.name}
    (folder / "evaluate.json").write_text(json.dumps(record))


def table(out: Path, *given: Path) -> Path:
    """The file of the trials of a table."""
    assert main([*map(str, given), "--out", str(out), "--title", "Whole"]) == 0
    return out / "trials.json"


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The file after a change of the content of its first trial."""
    content = json.loads(path.read_text())
    change(content["trials"][0])
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("evaluation", "parts"),
    [
        ("", [{"seeds": (0,)}, {"seeds": (1, 2)}]),
        ("", [{"names": ["ce"]}, {"names": ["nacl", "nacl-gaussian"]}]),
        ("ts", [{"folds": (0,)}, {"folds": (1,)}]),
        ("noise_0.1", [{"seeds": (1,)}, {"seeds": (0,)}]),
    ],
)
def test_trainings_that_ran_apart_give_the_table_of_one_run(
    evaluation: str, parts: list[dict[str, Any]], tmp_path: Path
) -> None:
    apart = [trials(tmp_path / "all", **part, evaluation=evaluation) for part in parts]
    table(tmp_path / "whole", *apart[0], *apart[1])
    files = [table(tmp_path / f"part{place}", *of_part) for place, of_part in enumerate(apart)]
    joined = table(tmp_path / "joined", *files)
    table(tmp_path / "again", joined, files[0])  # whose trials count once
    pages = {folder: (tmp_path / folder / "report.html").read_text() for folder in ("whole", "joined", "again")}
    answers = {
        folder: re.findall(r"<li>.*: (?:no diff|over|under|not ).*</li>", page) for folder, page in pages.items()
    }
    assert answers["whole"] == answers["joined"] == answers["again"]
    assert len(answers["whole"]) > 0
    for name in ("results.json", "results.md", "results.tex", "trials.json"):
        texts = {folder: (tmp_path / folder / name).read_text() for folder in ("whole", "joined", "again")}
        assert texts["whole"] == texts["joined"] == texts["again"]
    found = json.loads((tmp_path / "joined" / "results.json").read_text())
    assert found["rows"]["nacl"]["measures"]["missed_structures"]["mean"] == len(parts[0].get("folds", [])) + 1
    assert found["rows"]["nacl"]["measures"]["hd95_mm"]["interval"] == [None, None]  # a structure was missed


def test_the_page_of_a_file_of_an_earlier_version_says_what_is_not_known(tmp_path: Path) -> None:
    file = table(tmp_path / "table", *trials(tmp_path / "all", ["ce"], seeds=(0,)))
    later = ("case_bins", "fitted_patients")
    table(tmp_path / "again", changed(file, lambda of: [of["run"].pop(name) for name in later]))
    page = (tmp_path / "again" / "report.html").read_text()
    assert "<li>ce: not known, because a file of an earlier version keeps no voxels of single cases." in page


def test_two_trainings_with_one_seed_are_refused(tmp_path: Path) -> None:
    first = table(tmp_path / "first", *trials(tmp_path / "a", seeds=(0,)))
    other = changed(table(tmp_path / "other", first), lambda of: of["run"]["columns"]["ece_plausible"].reverse())
    assert first.read_text() != changed(other, lambda of: of["run"]["metrics"].update(ece_plausible=0.2)).read_text()
    with pytest.raises(
        ValueError, match=r"other/trials.json are both ce with seed 0 and fold 0; a training counts once"
    ):
        table(tmp_path / "both", first, other)


def test_trainings_with_other_options_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, second = (table(tmp_path / str(seed), *trials(tmp_path / f"of{seed}", seeds=(seed,))) for seed in (0, 1))
    changed(second, lambda of: of["records"]["train"]["options"].update({"--epochs": "9", "--num_workers": "2"}))
    with caplog.at_level(logging.WARNING):
        table(tmp_path / "both", first, second)
    assert caplog.messages == ["trainings of ce had other options: --epochs 2 and 9"]


def test_a_case_is_of_one_patient(tmp_path: Path) -> None:
    first, second = (table(tmp_path / str(seed), *trials(tmp_path / f"of{seed}", seeds=(seed,))) for seed in (1, 2))
    changed(second, lambda of: of["run"]["patients"].update(c="p7"))
    with pytest.raises(ValueError, match=r"c is of patient p1 in .*1/trials.json and of p7 in .*2/trials.json"):
        table(tmp_path / "both", first, second)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda of: of["run"]["columns"]["hd95_mm_left"].pop(), r"hd95_mm_left has 5 value\(s\) of 6 case\(s\)"),
        (
            lambda of: of["run"]["columns"].update(dice_foreground_left=[7.5] * 6),
            "dice_foreground_left of a is 7.5; it ",
        ),
        (lambda of: of["run"]["metrics"].update(dice_foreground=-1.0), "dice_foreground is -1; it must lie between 0"),
        (lambda of: of["run"]["case_bins"]["total"].pop(), r"case_bins has 5 case\(s\) of 6"),
        (lambda of: of["run"]["bins"]["count"].__setitem__(0, -5.0), "bins has numbers of voxels that contradict"),
        (lambda of: of["run"]["bins"]["confidence"].pop(), r"bins has sums of other shapes than \(15,\)"),
        (
            lambda of: of["run"]["class_bins"].update(total=[1.0] * 3),
            "class_bins has numbers of voxels that contradict",
        ),
        (
            lambda of: of["run"].update(class_names=["background", "left"]),
            r"class_bins has sums of other shapes than \(2, 15\)",
        ),
        (lambda of: of["run"]["class_bins"]["count"][0].pop(), "setting an array element with a sequence"),
        (lambda of: of["run"].update(case_voxels={"a": -1}), "trials.0.run.case_voxels.a: Input should be greater"),
        (lambda of: of["run"]["cases"].__setitem__(1, of["run"]["cases"][0]), "a name of a case stands twice in cases"),
        (lambda of: of["run"].pop("cases"), "trials.0.run.cases: Field required"),
        (lambda of: of["run"].update(cases=[], columns={}), "trials.0.run.cases: List should have at least 1 item"),
        (lambda of: of["run"].update(disturbance=[{"std": 1}]), "trials.0.run.disturbance.0.transform: Field required"),
        (lambda of: of.update(seed=-1), "trials.0.seed: Input should be greater than or equal to 0"),
        (lambda of: of["records"].pop("train"), "trials.0.records.train: Field required"),
    ],
)
def test_a_damaged_file_is_refused(change: Callable[[dict[str, Any]], object], said: str, tmp_path: Path) -> None:
    file = changed(table(tmp_path / "table", *trials(tmp_path / "all", ["ce"], seeds=(0,))), change)
    with pytest.raises(ValueError, match=rf"trials.json is damaged \({said}.*\): make its table again"):
        table(tmp_path / "again", file)


def test_what_cannot_be_made_of_a_file_is_told_before_anything_is_written(tmp_path: Path) -> None:
    file = table(tmp_path / "table", *trials(tmp_path / "all", ["ce"], seeds=(0,)))
    before = {path: path.read_bytes() for path in (tmp_path / "table").iterdir()}
    with pytest.raises(ValueError, match=r"--out .*table is the folder of .*trials.json, whose table would be lost"):
        table(tmp_path / "table", file)
    with pytest.raises(ValueError, match=r"--cases: .*trials.json keeps no slices of cases, so they cannot be drawn"):
        main([str(file), "--out", str(tmp_path / "drawn"), "--cases", "a"])
    with pytest.raises(
        ValueError, match=r"nothing can be written to .*trials.json/tables: .*table/trials.json is not a folder"
    ):
        table(file / "tables", file)
    assert before == {path: path.read_bytes() for path in (tmp_path / "table").iterdir()}
    with pytest.raises(ValueError, match=r"table is no trial; it must be NETWORK/METHOD/seedS_foldF/eval"):
        table(tmp_path / "again", tmp_path / "table")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda of: of["run"].update(part="validation"), "there are trials of the test and of the validation cases"),
        (lambda of: of["run"].update(patients={"a": "other"}), "a is of patient one in .* and of other in"),
        (lambda of: of["run"]["case_voxels"].update(a=7.0), "a has 480 voxels in .* and 7 in .*second/trials.json"),
        (lambda of: of["run"].update(case_labels={"a": "1" * 32}), "a has other labels in .* than in .*second"),
    ],
)
def test_trials_of_other_cases_are_not_joined(
    change: Callable[[dict[str, Any]], object], said: str, tmp_path: Path
) -> None:
    first = changed(
        table(tmp_path / "first", *trials(tmp_path / "one", ["ce"], seeds=(0,))),
        lambda of: of["run"].update(patients={"a": "one"}, case_labels={"a": "0" * 32}),
    )
    second = changed(table(tmp_path / "second", *trials(tmp_path / "two", ["nacl"], seeds=(0,))), change)
    with pytest.raises(ValueError, match=said):
        table(tmp_path / "both", first, second)


def test_a_training_that_was_copied_to_another_seed_is_told_in_files_too(tmp_path: Path) -> None:
    first, second = (
        changed(
            table(tmp_path / str(seed), *trials(tmp_path / f"of{seed}", ["ce"], seeds=(seed,))),
            lambda of: of["run"].update(weights="same"),
        )
        for seed in (0, 1)
    )
    with pytest.raises(ValueError, match=r"0/trials.json and .*1/trials.json measured the same weights; a training"):
        table(tmp_path / "both", first, second)
    both = [*json.loads(first.read_text())["trials"], *json.loads(second.read_text())["trials"]]
    first.write_text(json.dumps({"trials": both}))
    with pytest.raises(ValueError, match=r"trials.json, as seed 0 and seed 1, measured the same weights; a training"):
        table(tmp_path / "both", first)


@pytest.mark.parametrize("name", ["weights", "case_voxels", "case_labels"])
def test_earlier_files_did_not_tell_trainings_and_cases_apart(name: str, tmp_path: Path) -> None:
    file = tmp_path / "trials.json"
    write_trials(file, [read_trial(write_trial(tmp_path, "ce", [0.6, 0.7, 0.8]))])
    [trial] = read_trials(changed(file, lambda of: of["run"].pop(name)))
    assert not getattr(trial.run, name)
    again = tmp_path / "again.json"
    write_trials(again, [read_trial(tmp_path / "unet" / "ce" / "seed0_fold0" / "eval")])
    assert len(trials_at([file, changed(again, lambda of: of["run"].update(weights="a"))])) == 1


def test_a_record_without_a_commit_is_of_none(tmp_path: Path) -> None:
    file = changed(
        table(tmp_path / "table", *trials(tmp_path / "all", ["ce"], seeds=(0,))),
        lambda of: of["records"]["train"].pop("commit", None),
    )
    table(tmp_path / "again", file)
    assert json.loads((tmp_path / "again" / "results.json").read_text())["conditions"]["commits"] == [None]


@pytest.mark.usefixtures("undrawn")
def test_bins_of_cases_are_added_if_only_one_trial_kept_all_of_them(tmp_path: Path) -> None:
    folders = [write_trial(tmp_path, "ce", [0.6, 0.7, 0.8], seed=seed) for seed in (0, 1)]
    write_trials(tmp_path / "trials.json", [read_trial(folders[0])])
    whole, [kept] = [read_trial(folder) for folder in folders], read_trials(tmp_path / "trials.json")
    [row], [joined] = rows_of(whole), rows_of([kept, whole[1]])
    for case, bins in row.run.case_bins.items():
        assert joined.run.case_bins[case].count.sum() == bins.count.sum() == bins.total.sum()
        torch.testing.assert_close(joined.run.case_bins[case].confidence.sum(), bins.confidence.sum())
