"""Opening figure: a slice near its structures, with outlines, errors and confidence of each run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from written_runs import write_run

from calib_monai.reports.drawn_slices import around_structures
from calib_monai.reports.opening_figure import opening_figure
from calib_monai.reports.run_files import read_run
from calib_monai.reports.slice_files import Slice


def test_each_run_has_its_outlines_errors_and_confidence(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / name, sharpness)) for name, sharpness in (("mild", 1.0), ("sharp", 5.0))]
    figure = opening_figure(runs, "b")
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == 2 * ["outlines", "errors", "confidence"]
    [mild, sharp] = [axes.images[0].get_array() for axes in figure.axes if axes.get_title() == "confidence"]
    assert np.asarray(mild).mean() < np.asarray(sharp).mean()
    assert [part.get_suptitle().splitlines()[0] for part in figure.subfigs] == ["mild", "sharp"]
    assert "outside the crop" not in [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_slice_is_shown_around_its_structures_and_whole_without_any() -> None:
    label, probs = np.zeros((60, 40), np.uint8), np.zeros((2, 60, 40), np.float32)
    probs[0] = 1
    part = Slice(image=probs[0], label=label, probs=probs, index=None, from_below=False)
    assert around_structures([part]) == {"xlim": (-0.5, 59.5), "ylim": (39.5, -0.5)}
    label[0, 0], label[20:31, 4:8] = 255, 1  # an ignored voxel is no structure
    assert around_structures([part]) == {"xlim": (14.5, 35.5), "ylim": (12.5, -0.5)}
    turned = replace(part, from_below=True)
    other = replace(part, label=np.roll(label, 20, axis=0))
    assert around_structures([part, other]) == {"xlim": (14.5, 55.5), "ylim": (12.5, -0.5)}
    assert around_structures([turned]) == {"xlim": (14.5, 35.5), "ylim": (39.5, 26.5)}
