"""Pictures of cases: voxels have their shape, and the names of rows do not touch."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from monai.data import MetaTensor
from written_runs import write_run

from calib_monai.handlers.kept_slices import _voxel_aspect
from calib_monai.reports.case_figure import case_figure
from calib_monai.reports.run_files import read_run
from calib_monai.reports.runs import Run


def wide_runs(folder: Path, aspect: float) -> list[Run]:
    """Four runs of long names whose slice has 60 voxels along its first axis and 10 along its second."""
    runs = []
    for k in range(4):
        run = write_run(folder / f"hippocampus_attention_unet_dice_ce_100_epochs_seed_{k}", 1.0)
        probs = np.full((3, 60, 10), 1 / 3, dtype=np.float32)
        arrays = {"image": probs[0], "label": np.ones((60, 10), dtype=np.uint8), "probs": probs}
        np.savez(run / "slices" / "a.npz", **arrays, index=3, from_below=True, voxel_aspect=aspect)
        runs.append(read_run(run))
    return runs


@pytest.mark.parametrize("aspect", [0.5, 1.0, 3.0])
def test_names_of_rows_do_not_overlap_and_stay_on_the_page(tmp_path: Path, aspect: float) -> None:
    figure = case_figure(wide_runs(tmp_path, aspect), "a")
    FigureCanvasAgg(figure).draw()
    labels = [axes.yaxis.label for axes in figure.axes[::5][:4]]
    boxes = [label.get_window_extent() for label in labels]
    assert all(text.get_text().replace("\n", "").startswith("hippocampus_attention_unet_dice") for text in labels)
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(boxes))
    assert all(box.x0 >= 0 and box.y0 >= 0 for box in boxes)


@pytest.mark.parametrize("aspect", [0.5, 3.0])
def test_voxels_have_their_shape(tmp_path: Path, aspect: float) -> None:
    figure = case_figure(wide_runs(tmp_path, aspect)[:1], "a")
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes[:5]:
        box = axes.get_window_extent()
        assert box.height / box.width == pytest.approx(aspect * 10 / 60, rel=0.01)


def test_a_slice_of_an_older_evaluation_has_square_voxels(tmp_path: Path) -> None:
    assert read_run(write_run(tmp_path / "run", 1.0)).slice_of("a").voxel_aspect == 1
    assert replace(read_run(tmp_path / "run")).slice_of("a").index == 3


@pytest.mark.parametrize("damage", ["cut off", "empty", "text", "pickled", "changed", "other shapes", "no probs"])
def test_a_damaged_slice_is_refused_in_one_line_that_names_its_file(damage: str, tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "run", 1.0))
    path = tmp_path / "run" / "slices" / "a.npz"
    whole = path.read_bytes()
    with np.load(path) as archive:
        arrays = dict(archive)
    if damage == "pickled":
        np.savez(path, **arrays | {"label": np.array([{}], dtype=object)})
    elif damage == "other shapes":
        np.savez(path, **arrays | {"label": arrays["label"][:, :-1]})
    elif damage == "no probs":
        np.savez(path, **{name: array for name, array in arrays.items() if name != "probs"})
    else:
        changed = whole[:300] + bytes(64) + whole[364:]
        path.write_bytes({"cut off": whole[:-9], "empty": b"", "text": b"image", "changed": changed}[damage])
    with pytest.raises(ValueError, match=r"^.*slices.a\.npz is damaged \(.+\): evaluate again$") as refused:
        case_figure([run], "a")
    assert "\n" not in str(refused.value)


def test_the_shape_of_a_voxel_is_that_of_its_grid() -> None:
    affine = torch.tensor([[0, 3, 0, 0], [-0.5, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1.0]])
    assert _voxel_aspect(MetaTensor(torch.zeros(1, 4, 4, 4), affine=affine)) == pytest.approx(6)
    assert _voxel_aspect(torch.zeros(1, 4, 4)) == 1


def test_the_names_of_many_classes_stay_in_the_figure(tmp_path: Path) -> None:
    [run] = wide_runs(tmp_path, 1.0)[:1]
    kept = dict(np.load(run.folder / "slices" / "a.npz"))
    kept["probs"] = np.full((14, 60, 10), 1 / 14, dtype=np.float32)
    np.savez(run.folder / "slices" / "a.npz", **kept)
    figure = case_figure([replace(run, class_names=[f"a structure of number {k}" for k in range(14)])], "a")
    FigureCanvasAgg(figure).draw()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
