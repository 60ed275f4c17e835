"""Whatever is wrong in a file of an earlier run is told in one line that names it."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from numpy.lib import format as npy
from written_runs import write_run

from calib_monai.made_for import read_model_json
from calib_monai.reports import slice_files
from calib_monai.reports.run_files import read_run
from calib_monai.stored import StoredCheckpoint, StoredSplit, checked, read_stored

SPLIT = {"training": ["a"], "validation": ["b"], "test": ["c"], "drawn_with": {"fold": 0}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps(SPLIT | {"test": "c"}), "test: Input should be a valid list"),
        (json.dumps(SPLIT | {"test": [1]}), r"test\.0: Input should be a valid string"),
        (json.dumps(SPLIT | {"test": ["../c"]}), r"test\.0: a case is called '\.\./c'; it must be a name"),
        (json.dumps(SPLIT | {"test": ["c" * 250]}), r"test\.0: a case is called 'ccc"),
        (json.dumps(SPLIT | {"drawn_with": {"fold": []}}), r"drawn_with\.fold"),
        (json.dumps(SPLIT | {"drawn_with": {"fold": float("nan")}}), "is no JSON: NaN is no number of JSON"),
        ("[" * 100_000, "nested too deep"),
        ("[]", "valid dictionary"),
        ('{"training": ["a"', "is no JSON: Expecting"),
    ],
)
def test_a_file_that_holds_something_else_is_named_with_the_place(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"^{path} is damaged \(.*{said}.*\): train again$"):
        read_stored(path, StoredSplit, "train again")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "split.json")
    with pytest.raises(ValueError, match="is no regular file"):
        read_stored(tmp_path / "split.json", StoredSplit, "train again")


def edited(name: str, edit: Callable[[Any], object]) -> Callable[[Path], object]:
    """Edits a JSON file of a run."""

    def change(run: Path) -> None:
        content = json.loads((run / name).read_text())
        edit(content)
        (run / name).write_text(json.dumps(content))

    return change


def renamed(run: Path) -> None:
    """Give a case a name that leads out of the folder, in all files of a run."""
    edited("bins.json", lambda c: c["cases"].update({"../../x": c["cases"].pop("a")}))(run)
    rows = list(csv.reader((run / "cases.csv").read_text().splitlines()))
    rows[1][0] = "../../x"
    (run / "cases.csv").write_text("".join(f"{','.join(row)}\n" for row in rows))


def top(content: Any) -> Any:
    """The bins of the top label of a case."""
    return content["cases"]["b"]["top_label"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edited("summary.json", lambda c: c.update(num_cases=True)), "num_cases: Input should be a valid integer"),
        (edited("summary.json", lambda c: c["metrics"].update(dice=0.5)), r"metrics\.dice: Input should be"),
        (
            edited("summary.json", lambda c: c["metrics"].update(dice={"value": "0.5"})),
            r"metrics\.dice\.value: .* number",
        ),
        (
            edited("summary.json", lambda c: c["metrics"].update(dice_foreground={"value": 7.5})),
            "dice_foreground is 7.5; it must lie between 0 and 1",
        ),
        (edited("summary.json", lambda c: c.update(class_names=["a", "a", "b"])), "class_names: the classes are a, a"),
        (
            edited("summary.json", lambda c: c["class_names"].append("liver")),
            r"for a bins .*\(3, 15\); .* \(4, 15\)",
        ),
        (edited("bins.json", lambda c: c.update(num_bins=10)), r"for a bins .*\(15,\); .* \(10,\)"),
        (edited("bins.json", lambda c: top(c)["count"].pop()), "has for b bins of"),
        (edited("bins.json", lambda c: top(c)["count"].append("1")), r"b\.top_label\.count\.15"),
        (edited("bins.json", lambda c: top(c).update(total=7)), "has for b numbers of voxels that contradict"),
        (edited("bins.json", lambda c: top(c)["correctness"].__setitem__(0, -1)), "for b numbers of voxels that contr"),
        (edited("bins.json", lambda c: top(c)["confidence"].__setitem__(8, 1e6)), "for b numbers of voxels that contr"),
        (edited("logits.json", lambda c: c["count"].pop()), "2 x 3 x 240 counts and 241 edges.* of 3 classes"),
        (edited("logits.json", lambda c: c["edges"].reverse()), "which must rise"),
        (edited("logits.json", lambda c: c["count"][0][0].__setitem__(0, -1)), r"count\.0\.0\.0: .*greater than or eq"),
        (lambda run: (run / "cases.csv").write_text("case,dice\n" + "a" * 200_000 + ",1\n"), "field larger than"),
        (lambda run: (run / "cases.csv").write_text("ase,dice\na,1\nb,1\nc,1\n"), "has no column of cases"),
        (renamed, r"a case is called '\.\./\.\./x'; it must be a name that a folder can have"),
    ],
)
def test_results_that_contradict_each_other_are_refused(
    change: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", 1.0)
    read_run(run)
    change(run)
    with pytest.raises(ValueError, match=rf"^the files in {run} are damaged \(.*{said}.*\): evaluate again$"):
        read_run(run)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"probs": np.full((3, 12, 10), np.nan)}, "NaN or infinite"),
        ({"probs": np.full((3, 12, 10), 2.0)}, "probs are none"),
        ({"label": np.full((12, 10), 3)}, "a label is none of 3 classes"),
        ({"image": np.full((12, 10), "x")}, "of another type"),
        ({"voxel_aspect": [1.0, 2.0]}, "of another type"),
        ({"voxel_aspect": 0.0}, "voxel_aspect is 0.0"),
    ],
)
def test_a_kept_slice_of_other_values_is_refused(values: dict[str, Any], said: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 1.0)
    path = run / "slices" / "a.npz"
    with np.load(path) as file:
        np.savez(path, **{**file, **values})
    with pytest.raises(ValueError, match=rf"^{path} is damaged \(.*{said}.*\): evaluate again$"):
        read_run(run).slice_of("a")


def test_a_kept_slice_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "run", 1.0)
    path = run / "slices" / "a.npz"
    monkeypatch.setattr(slice_files, "MOST_UNPACKED", 2**20)
    np.savez_compressed(path, image=np.zeros((400, 400)))
    with pytest.raises(
        ValueError, match=rf"^{path} is damaged \(it unpacks to 1 MiB; it may have 1\): evaluate again$"
    ):
        read_run(run).slice_of("a")
    header = BytesIO()
    npy.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**7, 10**7)})
    with ZipFile(path, "w") as archive:
        archive.writestr("image.npy", header.getvalue())
    with pytest.raises(ValueError, match=rf"^{path} is damaged \(Unable to allocate .*\): evaluate again$"):
        read_run(run).slice_of("a")


@pytest.mark.parametrize(
    "content",
    [{"axcodes": 3}, {"slice_size": "48"}, {"class_names": [1, 2]}, {"training_images": {"count": 1, "size": [[1]]}}],
)
def test_a_model_json_of_other_types_is_refused(content: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(
        ValueError, match=rf"model\.json is damaged \({next(iter(content))}.*: it must be what training"
    ):
        read_model_json(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"trainer": {"iteration": "4"}}, r"trainer\.iteration"),
        ({"trainer": {"iteration": 4, "epoch_length": 0}}, r"trainer\.epoch_length"),
        ({"trainer": {"iteration": 4}, "history": {"rows": 1}}, r"history\.rows"),
        (
            {"trainer": {"iteration": 4}, "optimizer": {"param_groups": [{"lr": np.nan}]}},
            r"optimizer\.param_groups\.0\.lr",
        ),
        ({"trainer": {"iteration": 4}, "lr_scheduler": {"last_epoch": -1}}, r"lr_scheduler\.last_epoch"),
    ],
)
def test_a_checkpoint_of_other_types_is_refused(content: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.pt is damaged \({said}.*: start again"):
        checked(content, Path("a.pt"), StoredCheckpoint, "start again")
