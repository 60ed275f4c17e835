"""Reports: a table and pictures of what evaluations left."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from written_runs import MANY, radar_alone, with_value, write_run

from calib_monai.bins import class_bins, top_label_bins
from calib_monai.reports import runs
from calib_monai.reports.__main__ import main
from calib_monai.reports.case_figure import case_figure
from calib_monai.reports.cases_file import columns_of
from calib_monai.reports.page import Section, html_page
from calib_monai.reports.reliability import reliability_figure
from calib_monai.reports.report import drawn
from calib_monai.reports.results import results_tables
from calib_monai.reports.run_files import read_run
from calib_monai.reports.runs import worst_first
from calib_monai.reports.structures import failures, structures_table

FIGURES = {"reliability": b"png", "classes": b"png"}


def test_two_runs_become_a_page_a_table_and_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [write_run(tmp_path / "mild", 1.0), write_run(tmp_path / "sharp" / "eval", 5.0)]
    assert main([*map(str, runs), "--out", str(tmp_path / "report")]) == 0
    printed = capsys.readouterr().out
    assert "| mild " in printed
    assert "| sharp |" in printed
    for path in ("report.html", "results.md", "reliability.png", "classes.png", "logits.png", "a.png", "b.png"):
        assert str(tmp_path / "report" / path) in printed
        assert not path.endswith("png") or imread(tmp_path / "report" / path).std() > 0.1


def test_the_page_needs_nothing_else_and_marks_the_best(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / name, 1.0, cases=MANY)) for name in ("first", "second", "<third>")]
    for run, dice, hd95 in zip(runs, (0.8, 0.9, 0.7), (1.001, 1.002, 2.0), strict=True):
        with_value(run, "dice_foreground", dice)
        with_value(run, "hd95_mm", hd95)
    page = html_page([Section("brains", runs, results_tables(runs), FIGURES, {"a": b"png"})], "Runs")
    assert not re.search(r"https?://|<script|src=\"(?!data:)", page)
    assert "&lt;third&gt;" in page
    assert "<third>" not in page
    assert '<td class="best">0.900</td>' in page
    assert '<td class="second">0.800</td>' in page
    assert page.count('<td class="best">1.00</td>') == 2  # what looks equal is equal
    assert page.index("<td>a</td>") < page.index("<td>b</td>") < page.index("<td>c</td>")  # worst Dice first


def test_the_report_shows_the_dice_of_each_structure_and_names_those_that_failed(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    for case, right in (("a", 0.03), ("b", 0.9), ("c", float("nan"))):
        run.cases[case] |= {"dice_foreground_right": right, "missed_structures_left": 0}
        run.cases[case]["missed_structures_right"] = float(case != "b")
    table = structures_table([run])
    assert (table.header, table.cells) == (["", "left", "right"], [["run", "0.490", "0.465"]])
    assert table.note == "run: right failed in 2 of 3 case(s): a (Dice 0.030), c (Dice -)."


def test_a_single_structure_has_no_name_in_its_columns() -> None:
    cases = {f"case_{k}": {"dice_foreground": 0.0, "missed_structures": 1.0} for k in range(12)}
    [line] = failures(cases, ["background", "prostate"])
    assert line.startswith("prostate failed in 12 of 12 case(s): case_0 (Dice 0.000), case_1")
    assert line.endswith("case_9 (Dice 0.000) and 2 more")


def test_the_bins_of_a_run_are_those_of_all_its_cases(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    plausible = [1 - run.slice_of(case).probs[0] >= 0.01 for case in run.cases]
    assert run.bins.total.item() == sum(inside.sum() for inside in plausible)


def test_the_dice_of_a_case_is_that_of_its_structures_alone(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    before = run.dice("a")
    run.cases["a"]["dice_regions_et"] = 0.0  # what BraTS has besides
    assert run.dice("a") == before


def test_a_model_that_is_newer_than_its_results_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_run(tmp_path / "run", 1.0)
    read_run(folder)
    assert not caplog.text
    os.utime(folder / "model.pt", (time.time() + 60,) * 2)
    read_run(folder)
    assert "model.pt is newer than its evaluation" in caplog.text


def test_a_calibrator_that_is_newer_than_its_results_is_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_run(tmp_path / "run", 1.0)
    file = folder / "calibrator_ts.safetensors"
    file.touch()
    summary = json.loads((folder / "summary.json").read_text())
    for modified in (file.stat().st_mtime, 0):
        assert "newer" not in caplog.text
        summary |= {"calibrator": "ts", "calibrator_file": {"path": str(file), "modified": modified}}
        (folder / "summary.json").write_text(json.dumps(summary))
        read_run(folder)
    assert "calibrator_ts.safetensors is newer than its evaluation" in caplog.text


def test_of_two_runs_only_the_better_one_is_marked(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / name, 1.0, cases=MANY)) for name in ("first", "second")]
    with_value(runs[0], "dice_foreground", 0.9)
    with_value(runs[1], "dice_foreground", 0.8)
    page = html_page([Section("brains", runs, results_tables(runs), FIGURES, {})], "Runs")
    assert '<td class="best">0.900</td>' in page
    assert 'class="second"' not in page


def test_a_value_that_is_not_a_number_is_neither_best_nor_worst(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / name, 1.0, cases=MANY)) for name in ("first", "second", "third")]
    for run, value in zip(runs, (1.5, 2.0, float("nan")), strict=True):
        with_value(run, "hd95_mm", value)
    page = html_page([Section("brains", runs, results_tables(runs), FIGURES, {})], "Runs")
    assert page.count("<td>-</td>") == 1
    assert '<td class="best">1.50</td>' in page
    runs[1].metrics["hd95_mm"] = float("nan")
    assert "**" not in results_tables(runs)[0].markdown()  # with nothing to compare it with
    runs[0].cases["a"]["dice_foreground_left"] = float("nan")
    assert worst_first(runs) == ["b", "c", "d", "e", "f", "a"]


def test_several_data_sets_have_a_section_each_and_a_radar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calib_monai.reports.report.drawn", radar_alone)
    names = ("brains", "hearts", "livers")
    runs = [write_run(tmp_path / name / method, 1.0, name) for name in names for method in ("ce", "nacl")]
    assert main([*map(str, runs), "--out", str(tmp_path / "report"), "--case", "b"]) == 0
    page = (tmp_path / "report" / "report.html").read_text()
    assert all(f"Results on {name}" in page and (tmp_path / "report" / f"{name}_b.png").is_file() for name in names)
    assert imread(tmp_path / "report" / "radar.png").std() > 0.05
    assert re.findall(r"(?m)^## (\w+)", (tmp_path / "report" / "results.md").read_text()) == list(names)


def with_two_classes(folder: Path) -> Path:
    """A run of two classes and of pictures, as its evaluation would have left it."""
    summary = json.loads((folder / "summary.json").read_text()) | {"class_names": ["background", "lesion"]}
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "logits.json").unlink()
    content = json.loads((folder / "bins.json").read_text())
    for name, bins in content["cases"].items():
        with np.load(folder / "slices" / f"{name}.npz") as kept:
            arrays = {key: kept[key] for key in ("image", "label", "probs")}
        arrays["probs"] = np.stack([arrays["probs"][0], 1 - arrays["probs"][0]])
        arrays["label"] = np.minimum(arrays["label"], 1)
        np.savez(folder / "slices" / f"{name}.npz", **arrays, from_below=False)
        inside = arrays["label"] > 0
        probs, label = torch.tensor(arrays["probs"][:, inside]), torch.tensor(arrays["label"][inside])
        bins["classes"] = class_bins(probs, label).to_dict()
    (folder / "bins.json").write_text(json.dumps(content))
    return folder


@pytest.mark.usefixtures("undrawn")
def test_two_classes_are_said_to_mirror_each_other_and_not_drawn_twice(tmp_path: Path) -> None:
    folder = with_two_classes(write_run(tmp_path / "run", 1.0))
    one, other = read_run(folder).class_bins.expected_calibration_error()
    torch.testing.assert_close(one, other)
    assert main([str(folder), "--out", str(tmp_path / "report")]) == 0
    page = (tmp_path / "report" / "report.html").read_text()
    assert not (tmp_path / "report" / "classes.png").exists()
    assert "the CECE of each mirrors that of the other" in page
    assert "Reliability of each class" not in page


def test_a_slice_is_named_by_its_index_and_a_picture_by_its_case(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "volumes", 1.0))
    assert case_figure([run], "a").get_suptitle() == "a, slice 3"
    run = read_run(with_two_classes(write_run(tmp_path / "pictures", 1.0)))
    assert case_figure([run], "a").get_suptitle() == "a"


def test_what_a_crop_cut_off_has_no_confidence(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", 1.0)
    path = folder / "slices" / "a.npz"
    with np.load(path) as kept:
        arrays = dict(kept)
    arrays["probs"][:, :2] = np.array([1, 0, 0])[:, None, None]
    arrays["probs"][:, 5, 5] = np.array([1 - 1e-7, 1e-7, 0])
    np.savez(path, **arrays)
    for case, rows in (("a", [0, 1]), ("b", [])):
        figure = case_figure([read_run(folder)], case)
        [confidence] = figure.axes[4].images
        masked = np.ma.getmaskarray(confidence.get_array())[::-1].T  # shown from below
        assert np.flatnonzero(masked.any(axis=1)).tolist() == rows
        assert masked.sum() == 10 * len(rows)
        assert ("outside the crop" in [text.get_text() for text in figure.legends[0].get_texts()]) == bool(rows)


def test_bars_of_few_voxels_are_pale(tmp_path: Path) -> None:
    confidence = torch.cat([torch.full((2000,), 0.9), torch.full((1,), 0.55), torch.full((2,), 0.65)])
    bins = top_label_bins(torch.stack([confidence, 1 - confidence]), torch.zeros(2003, dtype=torch.int64))
    figure = reliability_figure([replace(read_run(write_run(tmp_path / "run", 1.0)), bins=bins)])
    bars = [(path.get_extents(), one.get_alpha()) for one in figure.axes[0].collections for path in one.get_paths()]
    pale = {round(box.x0, 3): alpha for box, alpha in bars if box.height == 1}
    assert pale == {round(13 / 15, 3): 1, round(8 / 15, 3): 0.25, round(9 / 15, 3): 0.25}
    assert "pale: of less than 0.1% of the voxels" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_diagram_says_how_many_of_all_voxels_it_looked_at(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", 1.0)
    assert reliability_figure([read_run(folder)]).axes[0].get_title().endswith("\n25% of all voxels are plausible")
    content = json.loads((folder / "bins.json").read_text())
    del content["cases"]["b"]["num_voxels"]  # as an older version wrote
    (folder / "bins.json").write_text(json.dumps(content))
    assert "voxels" not in reliability_figure([read_run(folder)]).axes[0].get_title()


def test_what_an_older_version_wrote_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 1.0)
    summary = json.loads((run / "summary.json").read_text())
    del summary["method"]
    (run / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(ValueError, match=r"no 'method' in its files: an older version wrote them"):
        main([str(run), "--out", str(tmp_path / "report")])


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no summary\.json"):
        main([str(tmp_path), "--out", str(tmp_path / "report")])
    run = write_run(tmp_path / "run", 1.0)
    with pytest.raises(ValueError, match="z: no such case; there are a, b, c"):
        main([str(run), "--out", str(tmp_path / "report"), "--case", "z"])
    assert not (tmp_path / "report").exists()


@pytest.mark.usefixtures("undrawn")
def test_no_name_of_a_data_set_leads_out_of_the_folder_of_the_report(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / name, 1.0, dataset)
        for name, dataset in (("one", "../../out/brains"), ("two", "b\0" * 200))
    ]
    assert main([*map(str, runs), "--out", str(tmp_path / "report" / "here")]) == 0
    assert not (tmp_path / "out").exists()
    written = [path.name for path in (tmp_path / "report" / "here").iterdir()]
    assert "_._.._out_brains_reliability.png" in written
    assert sum(name.startswith("b_b_b_") and name.endswith(".png") for name in written) > 1


@pytest.mark.usefixtures("undrawn")
def test_the_columns_of_a_measure_are_looked_up_as_often_for_few_cases_as_for_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    monkeypatch.setattr(runs, "columns_of", lambda *given: looked.append(given[0]) or columns_of(*given))
    counts = []
    for number, cases in enumerate(("abc", "abcdefghi")):
        folder = write_run(tmp_path / f"run{number}", 1.0, cases=cases)
        looked.clear()
        main([str(folder), "--out", str(tmp_path / f"report{number}")])
        counts.append(len(looked))
    assert counts[0] == counts[1] > 0


def test_a_dollar_in_a_name_is_no_formula(tmp_path: Path) -> None:
    run = replace(read_run(write_run(tmp_path / "run", 1.0)), name=r"cost $\frac$ and $x^$")
    assert drawn(reliability_figure, [run]).startswith(b"\x89PNG")


def test_the_table_of_cases_names_the_voxels_and_has_the_expected_dice(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    run.metrics["expected_dice"] = 0.5
    for values in run.cases.values():
        values["expected_dice"] = 0.5
    table = Section("brains", [run], results_tables([run]), FIGURES, {}).every_case
    assert table.header == ["case", "Dice, run", "ECE, plausible, run", "expected Dice, run"]
    assert table.cells[0] == ["a", "0.485", "0.100", "0.500"]
