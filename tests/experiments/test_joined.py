"""Joined: tables whose trainings ran apart become the table of one run."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from written_runs import write_trial

from calib_monai.experiments.__main__ import main as make_table
from calib_monai.experiments.joined import main

CASES = {"ce": [0.7, 0.8, 0.9, 0.75, 0.85, 0.6], "nacl": [0.72, 0.83, 0.94, 0.77, 0.86, 0.66]}
BARE = ("method", "network", "evaluation", "disturbance")  # of a row: earlier versions did not write them


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No picture is drawn."""
    for module in ("__main__", "joined"):
        monkeypatch.setattr(f"calib_monai.experiments.{module}.drawn", lambda *_: b"png")
    monkeypatch.setattr("calib_monai.reports.report.drawn", lambda *_: b"png")


def table(out: Path, seeds: Sequence[int], names: Sequence[str] = ("ce", "nacl"), evaluation: str = "eval") -> Path:
    """A `results.json` of these trials; each seed has another Dice."""
    out.mkdir()
    (out / "results.json").write_text(made(tuple(seeds), tuple(names), evaluation))
    return out / "results.json"


@cache
def made(seeds: Sequence[int], names: Sequence[str], evaluation: str) -> str:
    """The content of `table`."""
    with TemporaryDirectory() as folder:
        trials = [
            write_trial(
                Path(folder),
                name,
                [dice - 0.003 * seed for dice in CASES[name.partition("-")[0]]],
                seed=seed,
                evaluation=one,
                cases="abcdef",
            )
            for name in names
            for seed in seeds
            for one in dict.fromkeys(("eval", evaluation))
        ]
        assert make_table([*map(str, trials), "--out", folder]) == 0
        return (Path(folder) / "results.json").read_text()


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The file after a change of its content."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def join(tmp_path: Path, *tables: Path) -> dict[str, Any]:
    """The content of the joined `results.json`."""
    assert main([*map(str, tables), "--out", str(tmp_path / "joined")]) == 0
    content: dict[str, Any] = json.loads((tmp_path / "joined" / "results.json").read_text())
    return content


def flat(content: Any, place: str = "") -> dict[str, Any]:
    """The numbers and texts in nested content, by their place in it."""
    if not isinstance(content, dict | list):
        return {place: content}
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    return {name: value for key, part in pairs for name, value in flat(part, f"{place}/{key}").items()}


@pytest.mark.parametrize("evaluation", ["eval", "eval_ts", "eval_noise_0.1"])
def test_seeds_that_ran_apart_give_the_table_of_one_run(evaluation: str, tmp_path: Path) -> None:
    names = ("ce", "nacl", "nacl-gaussian")
    whole = json.loads(table(tmp_path / "whole", (0, 1, 2), names, evaluation).read_text())
    parts = [table(tmp_path / str(seeds), seeds, names, evaluation) for seeds in ((0,), (1, 2))]
    found = join(tmp_path, *parts)
    assert list(found["rows"]) == list(whole["rows"])
    assert len(found["rows"]) == 3 * (1 + (evaluation != "eval"))
    for content in (found, whole):
        for row in content["rows"].values():
            for of_measure in row["measures"].values():
                del of_measure["structures"]
    assert flat(found["rows"]) == pytest.approx(flat(whole["rows"]), abs=3e-6)
    assert flat(found["friedman"]) == pytest.approx(flat(whole["friedman"]), abs=3e-6)
    assert found["conditions"] == whole["conditions"]


def test_methods_that_ran_apart_are_compared(tmp_path: Path) -> None:
    found = join(tmp_path, *(table(tmp_path / name, (0, 1), [name]) for name in CASES))
    difference = found["rows"]["nacl"]["measures"]["dice_foreground"]["difference"]
    assert difference["value"] == pytest.approx(0.03, abs=1e-6)
    assert difference["p_value_holm"] is not None


def test_a_training_in_two_tables_counts_once_and_another_with_its_seed_is_refused(tmp_path: Path) -> None:
    first, again = (table(tmp_path / name, seeds) for name, seeds in (("first", (0,)), ("again", (0, 1))))
    assert join(tmp_path, first, again)["seeds"] == [0, 1]
    changed(first, lambda of: of["rows"]["nacl"]["trials"][0]["cases"]["b"].update(dice_foreground=0.5))
    with pytest.raises(ValueError, match="have nacl with seed 0 and fold 0, with other values"):
        join(tmp_path, first, again)


def test_a_table_of_an_earlier_version_is_read_where_rows_are_methods(tmp_path: Path) -> None:
    def earlier(content: dict[str, Any]) -> None:
        for name in ("class_names", "settings"):
            del content[name]
        for row in content["rows"].values():
            for name in BARE:
                del row[name]
            for trial in row["trials"]:
                del trial["shares"]

    old = changed(table(tmp_path / "old", (0,)), earlier)
    assert join(tmp_path, old)["rows"]["nacl"]["method"] == "nacl"
    unclear = changed(table(tmp_path / "unclear", (0,), ["nacl-gaussian"]), earlier)
    with pytest.raises(ValueError, match="without method and network of the row 'nacl gaussian'; make the table again"):
        join(tmp_path, unclear)


def test_a_measure_that_not_all_tables_have_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, second = table(tmp_path / "0", (0,)), table(tmp_path / "1", (1,))

    def without_ece(content: dict[str, Any]) -> None:
        for row in content["rows"].values():
            row["measures"]["ece_plausible"]["trials"] = [None]
            for case in row["trials"][0]["cases"].values():
                case["ece_plausible"] = None

    changed(second, without_ece)
    with caplog.at_level(logging.WARNING):
        found = join(tmp_path, first, second)
    assert "not in all tables, and left out: ece_plausible" in caplog.text
    assert "ece_plausible" not in found["measures"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda of: of["rows"]["ce"]["options"].update({"--epochs": "9"}),
            "ce was trained with other .*--epochs 2 and 9",
        ),
        (lambda of: of["rows"].pop("ce"), "ce has other seeds, folds or cases|nacl has other seeds"),
        (lambda of: of["rows"]["ce"]["train_seconds"].append(1.0), "ce has other numbers of trials"),
        (lambda of: of.update(dataset="hearts"), "there are trials of brains, hearts; they must be of one"),
        (lambda of: of.update(class_names=["background", "heart"]), "has the classes"),
        (lambda of: of["settings"].update(ece_plausible={"num_bins": 3}), "ece_plausible was not measured alike"),
        (lambda of: of["rows"]["ce"].pop("trials"), r"results.json is damaged \(rows.ce.trials: Field required\)"),
        (
            lambda of: of["rows"]["ce"]["measures"]["dice_foreground"].update(trials=[7.5]),
            "dice_foreground is 7.5; it must lie between 0 and 1",
        ),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    change: Callable[[dict[str, Any]], object], said: str, tmp_path: Path
) -> None:
    first, second = table(tmp_path / "0", (0,)), table(tmp_path / "1", (1,))
    changed(first, lambda of: of["settings"].update(ece_plausible={"num_bins": 15}))
    changed(second, lambda of: of["settings"].update(ece_plausible={"num_bins": 15}))
    changed(second, change)
    with pytest.raises(ValueError, match=said):
        join(tmp_path, first, second)


def test_results_on_data_of_others_are_named_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = changed(table(tmp_path / "0", (0,)), lambda of: of.update(elsewhere={"vendor_a": {}}))
    assert "elsewhere" not in join(tmp_path, first)
    assert f"{first} has results on data of others, which are left out: vendor_a" in caplog.text


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none/results.json is not there; give the results.json of an experiment"):
        join(tmp_path, tmp_path / "none" / "results.json")
