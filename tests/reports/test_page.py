"""Page: a browser shows it in a wide window and in a narrow one."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest
from written_runs import with_value, write_run

from calib_monai.reports.case_intervals import intervals_table
from calib_monai.reports.page import Section, html_page
from calib_monai.reports.reliability import class_reliability_figure
from calib_monai.reports.report import write_report
from calib_monai.reports.results import ABOUT_PAPERS, results_tables, shown_measures
from calib_monai.reports.run_files import read_run

MEASURES = {
    **dict.fromkeys(("asd_mm", "nll_all", "brier_all", "cece_plausible", "ece_foreground", "cece_foreground"), 0.04321),
    **dict.fromkeys(("ece_plausible_pooled", "ece_plausible_debiased"), 0.04321),
    **dict.fromkeys(("tace_foreground", "ece_union", "cece_union"), 0.1),
    "missed_structures": 3,
}
FIGURES = {"reliability": b"png", "classes": b"png"}
SHOWN = """<script>addEventListener('load', () => {
const [table] = document.querySelectorAll('.scroll:has(table)'), page = document.documentElement
document.title = [
    'pictures ' + [...document.images].every(image => image.naturalWidth),
    'fits ' + (page.scrollWidth <= innerWidth),
    'scrolls ' + (table.scrollWidth > table.clientWidth),
    'legible ' + [...document.images].every(image => image.width >= 0.45 * image.naturalWidth - 1)
].join(', ') })</script>"""

WIDTHS = (1280, 420)  # of windows, as frames of one page
COLLECTED = """<script>addEventListener('load', () => {
document.title = [...document.querySelectorAll('iframe')].map(frame => frame.contentDocument.title).join('; ')
})</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two runs of long names, with all measures of an evaluation."""
    folder = tmp_path_factory.mktemp("page")
    runs = [read_run(write_run(folder / f"hippocampus_dice_ce_100_epochs_seed_{k}", 1.0)) for k in range(2)]
    for run in runs:
        run.metrics.update(MEASURES)
    write_report(runs, folder / "report", ["a"])
    path = folder / "report" / "report.html"
    path.write_text(path.read_text().replace("</body>", f"{SHOWN}</body>"))
    return path


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no browser is installed")
def test_a_table_scrolls_in_a_narrow_window_alone_and_figures_stay_legible(page: Path, tmp_path: Path) -> None:
    frames = [
        f'<iframe width="{width}" height="2000" srcdoc="{escape(page.read_text())}"></iframe>' for width in WIDTHS
    ]
    (tmp_path / "frames.html").write_text(f"<title>none</title>{''.join(frames)}{COLLECTED}")
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,2000"]
    command = [*browser, "--dump-dom", (tmp_path / "frames.html").as_uri()]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)  # noqa: S603
    wide, narrow = (f"pictures true, fits true, scrolls {scrolls}, legible true" for scrolls in ("false", "true"))
    assert f"<title>{wide}; {narrow}</title>" in result.stdout


def test_columns_of_the_papers_are_gray_and_one_note_says_why(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    assert "Gray" not in html_page([Section("brains", [run], results_tables([run]), FIGURES, {})], "Runs")
    run.metrics.update(MEASURES)
    page = html_page([Section("brains", [run], results_tables([run]), FIGURES, {})], "Runs")
    for title in ("ECE, label foreground", "CECE, label foreground", "TACE, label foreground", "ECE, union"):
        assert f'<th class="papers">{title}</th>' in page
    for title in ("Dice", "ECE, plausible", "NLL (per 1000 voxels)", "cases"):
        assert f"<th>{title}</th>" in page
    assert page.count(ABOUT_PAPERS) == page.count('<span class="papers">Gray</span>') == 1
    intervals = intervals_table([run], shown_measures([run]))
    page = html_page([Section("brains", [run], [intervals], FIGURES, {})], "Runs")
    for kind, title in (("<tr>", "ECE, plausible"), ('<tr class="papers">', "ECE, label foreground")):
        assert f"{kind}<td>{title}</td>" in page


def test_a_long_name_may_be_broken_where_it_has_an_underscore(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "brains_nacl", 1.0))
    [table] = results_tables([run])
    page = html_page([Section("brains", [run], [table], FIGURES, {})], "Runs")
    assert "<td>brains_<wbr>nacl</td>" in page
    assert "<wbr>" not in table.markdown()


def test_a_background_that_is_never_right_has_no_diagram(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    titles = [axes.get_title().split("\n")[0] for axes in class_reliability_figure([run]).axes]
    assert [title for title in titles if title] == ["background", "left", "right"]
    figure = class_reliability_figure([replace(run, region="foreground")])
    shown = {title.split("\n")[0]: title for axes in figure.axes if (title := axes.get_title())}
    assert list(shown) == ["left", "right"]
    error = run.class_bins[1].expected_calibration_error().item()
    assert shown["left"] == f"left\npooled error {error:.3f}"


@pytest.mark.usefixtures("undrawn")
def test_answers_come_first_then_a_slice_then_sentences_with_intervals_and_tables_last(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0, cases="abcdef"))
    with_value(run, "hd95_mm", 1.5)
    write_report([run], tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text()
    order = (
        "run: overconfident",
        'alt="slice of d with its conf',
        "<dt>HD95 (mm)</dt>",
        "<b>1.50</b> (1.49 to",
        "<table>",
    )
    places = [page.index(text) for text in order]
    assert places == sorted(places)
    assert "number 4 of 6 by Dice" in page
    assert "Only the first" not in page
    assert page.count("Of 100 such intervals, 95 hold") == 1
    assert "### 95 % intervals over cases" in (tmp_path / "report" / "results.md").read_text()


def test_a_page_of_many_runs_says_whose_slices_are_shown(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    section = Section("brains", [run] * 5, results_tables([run]), FIGURES, {}, opening=("a", b"png"))
    assert "Only the first 4 runs are shown here." in html_page([section], "Runs")


@pytest.mark.usefixtures("undrawn")
def test_why_nothing_is_marked_is_said_once(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / name, 1.0)) for name in ("one", "two")]
    write_report(runs, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("Nothing is marked as best: in fewer than") == 1
