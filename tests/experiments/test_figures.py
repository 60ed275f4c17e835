"""Figures of an experiment: they show the numbers of its rows."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from math import isnan
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from written_runs import write_trial

from calib_monai.experiments.__main__ import check_cases, drawn_rows, other_regions, section_of_rows
from calib_monai.experiments.comparison import compare
from calib_monai.experiments.figures import figures_of, logit_panels, logits_over_epochs, of_patients, spots_of
from calib_monai.experiments.grouping import rows_of
from calib_monai.experiments.trial_files import read_trial
from calib_monai.experiments.trials import Row
from calib_monai.measures import measure_of
from calib_monai.reports.bars import Panel, bars_figure
from calib_monai.reports.boxes import boxes_figure
from calib_monai.reports.curves import Point, curves_figure
from calib_monai.reports.plane import plane_figure
from calib_monai.reports.report import Picture, drawn, write_pictures

ECE = measure_of("ece_plausible")


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    """A row of two methods with two seeds; the largest logit of class 1 grows with the epochs of the second."""
    trials = []
    for name, dice in (("ce", 0.8), ("nacl", 0.9)):
        for seed in (0, 1):
            folder = write_trial(tmp_path, name, [dice, dice + 0.02 * seed], ece=[0.1, 0.3], seed=seed, cases="ab")
            logits = json.loads((folder / "logits.json").read_text())
            largest = [[0] * 240 for _ in range(3)]
            largest[1][200], largest[1][201] = 1, 3
            (folder / "logits.json").write_text(json.dumps(logits | {"largest": largest}))
            with (folder.parent / "history.csv").open("w", newline="") as file:
                lines = [[1, 2.0, ""], [2, 3.0 + seed, 1.5]]
                csv.writer(file).writerows([["epoch", "max_logit/1", "mean_logit/2"], *lines])
            trials.append(read_trial(folder))
    return rows_of(trials)


def test_what_no_row_measured_has_no_figure(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[object, ...]] = []
    monkeypatch.setattr("calib_monai.experiments.figures.drawn", lambda *given: shown.append(given) or b"png")
    measures = {name: measure_of(name) for name in ("dice_foreground", "ece_plausible", "ece_boundary")}
    names = ["dice_and_ece", "ece_of_patients", "logits_of_classes", "logits_over_epochs"]
    assert list(figures_of(rows, measures)) == names
    assert [list(given[1]) for given in shown[:2]] == [[ECE], [ECE]]


def test_a_method_lies_where_its_dice_and_ece_are(rows: list[Row]) -> None:
    panels = spots_of(rows, {"ece_plausible": ECE})
    spot = panels[ECE]["nacl"]
    assert (spot.error, spot.dice) == pytest.approx((0.2, 0.905))
    assert spot.trainings == [pytest.approx((0.2, 0.9)), pytest.approx((0.2, 0.91))]
    [axes] = plane_figure(panels, measure_of("dice_foreground")).axes
    assert axes.collections[1].get_offsets().tolist() == [pytest.approx([0.2, 0.805])]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("ECE, plausible", "Dice")


def test_a_box_is_over_patients(rows: list[Row]) -> None:
    assert of_patients(rows, {"ece_plausible": ECE})[ECE]["ce"] == pytest.approx([0.1, 0.3])
    of_one = [
        replace(row, trials=[replace(t, run=replace(t.run, patients=dict.fromkeys("ab", "p"))) for t in row.trials])
        for row in rows
    ]
    found = of_patients(of_one, {"ece_plausible": ECE})
    assert found[ECE]["ce"] == pytest.approx([0.2])
    [axes] = boxes_figure({ECE: {"ce": [0.1, 0.3, float("nan")], "nacl": [0.2]}}).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["ce", "nacl"]
    assert axes.lines[4].get_ydata().tolist() == pytest.approx([0.2, 0.2])  # the median of ce


def test_bars_have_the_mean_logits_of_the_classes(rows: list[Row]) -> None:
    own, largest = logit_panels(rows)
    # A bin of 0.25 holds the logit 1 of the own class.
    assert own.values["ce"] == pytest.approx([1.125] * 3)
    assert own.categories == ["background", "left", "right"]
    assert [isnan(value) for value in largest.values["nacl"]] == [True, False, True]
    assert largest.values["nacl"][1] == pytest.approx(-30 + (200.5 + 3 * 201.5) / 4 / 4)
    heights = [bar.get_height() for bar in bars_figure([own]).axes[0].patches]
    assert heights == pytest.approx([1.125] * 6)


def test_curves_have_the_logits_of_each_epoch(rows: list[Row]) -> None:
    curves = {measure.title: of for measure, of in logits_over_epochs(rows).items()}
    assert list(curves) == ["mean logit, right", "largest logit, left"]
    first, second = curves["largest logit, left"]["nacl"]
    assert (first.at, first.value, first.deviation) == (1, 2.0, 0.0)
    assert (second.at, second.value, second.deviation) == pytest.approx((2, 3.5, 0.5**0.5))
    [alone] = curves["mean logit, right"]["ce"]
    assert alone.at == 2  # an epoch without a voxel of the class has no point
    panels = {measure_of(name): curves["largest logit, left"] for name in "abcde"}
    figure = curves_figure(panels, "epoch", {measure: {} for measure in panels})
    assert sum(axes.axison for axes in figure.axes) == 5  # in two lines of four


def test_a_method_has_one_color_in_all_panels_and_in_the_legend() -> None:
    points, nll = [Point(1, 0.1, 0.0), Point(2, 0.2, 0.0)], measure_of("nll_all")
    figure = curves_figure({ECE: {"nacl": points}, nll: {"ce": points, "nacl": points}}, "epoch", {ECE: {}, nll: {}})
    colors = [{bars.get_label(): bars.lines[0].get_color() for bars in axes.containers} for axes in figure.axes]
    assert colors[0]["nacl"] == colors[1]["nacl"] != colors[1]["ce"]
    [legend] = figure.legends
    assert {text.get_text() for text in legend.get_texts()} == {"ce", "nacl"}


def test_rows_of_another_region_have_diagrams_of_their_own(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    at = [replace(one, evaluation="boundary", run=replace(one.run, region="boundary")) for one in rows[0].trials]
    other = Row("ce boundary", at)
    assert drawn_rows([*rows, other]) == rows
    monkeypatch.setattr("calib_monai.experiments.__main__.drawn", lambda make, runs: [make.__name__, len(runs)])
    assert other_regions([*rows, other]) == {"reliability_boundary": ["reliability_figure", 1]}
    assert other_regions(rows) == {}


def test_a_figure_is_written_as_a_vector_graphic_too(tmp_path: Path) -> None:
    picture = drawn(bars_figure, [Panel("ranks", {"": [1.0, 2.0]}, ["ce", "nacl"])])
    write_pictures({"ranks.png": picture, "other.png": b"png"}, tmp_path, vector=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.png", "ranks.pdf", "ranks.png", "ranks.svg"]
    assert ET.parse(tmp_path / "ranks.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - ours
    pdf = (tmp_path / "ranks.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/TrueType" in pdf or b"/Type42" in pdf or b"CIDFontType2" in pdf  # journals refuse others
    assert isinstance(picture, Picture)
    assert picture.again("svg") == (tmp_path / "ranks.svg").read_bytes()  # without a date


def test_the_cases_that_were_chosen_are_drawn(rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calib_monai.reports.report.drawn", lambda *_: b"png")
    monkeypatch.setattr("calib_monai.experiments.__main__.drawn", lambda *_: b"png")
    compared = compare(rows, {"dice_foreground": measure_of("dice_foreground")})
    section = section_of_rows(rows, [], {}, compared, ["b"])
    assert list(section.cases) == ["b"]
    with pytest.raises(ValueError, match=r"there is no case c to draw; there are a, b"):
        check_cases(["b", "c"], [rows])


@pytest.mark.parametrize(("places", "scale"), [((0, 1, 100), "linear"), ((0, 0.01, 1, 10), "symlog")])
def test_curves_have_the_unit_of_their_title_and_an_axis_for_what_was_varied(
    places: tuple[float, ...], scale: str
) -> None:
    nll, points = measure_of("nll_all"), [Point(at, 0.03, 0.001) for at in places]
    [axes] = curves_figure({nll: {"bwcr": points}}, "weight", {nll: {"ce": 0.05}}).axes
    assert axes.get_ylabel() == "NLL (per 1000 voxels)"
    curve, across = axes.containers[0][0], axes.get_lines()[-1]
    assert set(curve.get_ydata()) == {30.0}
    assert set(across.get_ydata()) == {50.0}
    assert axes.get_xscale() == scale
