"""Many classes: their figures have more rows, and are not wider than a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from written_runs import write_run

from calib_monai.bins import Bins
from calib_monai.reports.logits import logits_figure
from calib_monai.reports.reliability import class_reliability_figure
from calib_monai.reports.run_files import read_run
from calib_monai.reports.runs import LogitCounts, Run

NAMES = ["background", "liver", "right kidney", "spleen", "pancreas", "inferior vena cava"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of six classes."""
    run = read_run(write_run(tmp_path / "run", 1.0))
    bins = Bins.stack([run.class_bins[k % 3] for k in range(len(NAMES))])
    count = np.ones((len(NAMES), len(NAMES), 240), np.int64)
    return replace(run, class_names=NAMES, class_bins=bins, logits=LogitCounts(np.linspace(-30, 30, 241), count))


@pytest.mark.parametrize("drawn", [class_reliability_figure, logits_figure])
def test_more_than_four_classes_have_further_rows(drawn: Callable[[list[Run]], Figure], run: Run) -> None:
    figure = drawn([run])
    assert figure.get_figwidth() < 14
    titled = [axes for axes in figure.axes if axes.get_title() and axes.axison]
    assert [name for name in NAMES if any(name in axes.get_title() for axes in titled)] == NAMES
    FigureCanvasAgg(figure).draw()
    tops = sorted({round(axes.get_window_extent().y0) for axes in titled}, reverse=True)
    assert len(tops) == 2
    boxes = [axes.get_tightbbox() for axes in (titled[0], titled[4])]
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(boxes))


def test_a_panel_of_logits_has_two_artists_for_any_number_of_classes_and_no_layout_is_solved(run: Run) -> None:
    for make in (logits_figure, class_reliability_figure):
        assert make([run]).get_layout_engine() is None
    alone = len(Figure().subplots().get_children())
    assert {len(axes.get_children()) for axes in logits_figure([run]).axes} == {alone + 2}


def test_texts_of_a_single_row_of_classes_do_not_lie_on_each_other(tmp_path: Path) -> None:
    figure = class_reliability_figure([read_run(write_run(tmp_path / "run", 1.0))])
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    [line] = [text for text in figure.texts if "against the rest" in text.get_text()]
    above, below = figure.axes[::2], figure.axes[1::2]
    assert all(axes.title.get_window_extent().y1 <= line.get_window_extent().y0 for axes in above)
    assert all(
        upper.get_tightbbox().y0 >= lower.get_window_extent().y1 for upper, lower in zip(above, below, strict=True)
    )
