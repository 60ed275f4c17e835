"""Composed bundles: committed as composed, whole, and as MONAI wants them."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from committed import BUNDLES, COLLECTION, REPOSITORY, trimmed
from compose_bundles import main
from monai.bundle import run
from which_method import mean

from calib_monai.datalists.files import save_nifti
from calib_monai.phantoms import make_phantoms
from calib_monai.refusals import OneLine


class Done(NamedTuple):
    """The exit code of a command, and what it said."""

    returncode: int
    stdout: str
    stderr: str


def compose(*arguments: str) -> Done:
    """`python scripts/compose_bundles.py` in this process."""
    said, wrong = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(wrong):
        try:
            code = main(arguments)
        except ValueError as error:  # which Python gives to the hook, and ends with 1
            OneLine(sys.__excepthook__)(ValueError, error, error.__traceback__)
            code = 1
    return Done(code, said.getvalue(), wrong.getvalue())


def test_the_committed_bundles_are_as_composed() -> None:
    assert compose("--check") == (0, "", "")


def test_the_script_says_and_ends_with_what_its_main_function_does() -> None:
    given = ["--dataset", "acdcc"]
    command = [sys.executable, str(REPOSITORY / "scripts" / "compose_bundles.py"), *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own script
    assert (done.returncode, done.stdout, done.stderr) == compose(*given)
    assert done.returncode == 1


def test_an_edited_number_is_found_and_named(tmp_path: Path) -> None:
    selected = ["--dataset", "hippocampus", "--method", "nacl", "--out", str(tmp_path)]
    assert compose(*selected).returncode == 0
    assert compose(*selected, "--check").returncode == 0
    train = tmp_path / "hippocampus_nacl" / "configs" / "train.json"
    train.write_text(train.read_text().replace('"penalty_weight": 0.1', '"penalty_weight": 0.2'))
    done = compose(*selected, "--check")
    assert done.returncode == 1
    assert str(train) in done.stderr
    assert len(done.stderr.splitlines()) == 1


def own_part(**sections: Any) -> dict[str, Any]:
    """The part of a data set of one's own, two images a case."""
    datalist = {"images": ["scans/{case}/pd.nii.gz", "scans/{case}/t2_*.nii.gz"], "label": "masks/{case}-mask.nii.gz"}
    return {
        "image": {"channels": ["PD", "T2"]},
        "both": {"slice_size": [48, 64], "datalist": datalist},
        "train": {"class_names": ["background", "femur", "tibia"]},
    } | sections


@pytest.mark.usefixtures("undrawn")
def test_data_of_ones_own_make_a_bundle_that_trains(tmp_path: Path) -> None:
    (tmp_path / "knees.json").write_text(json.dumps(own_part()))
    done = compose("--dataset", str(tmp_path / "knees.json"), "--method", "nacl", "--out", str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    for name, (image, label) in trimmed(make_phantoms(4, seed=2), 14, 20).items():
        affine = np.diag([0.5, 0.5, 3, 1])
        save_nifti(tmp_path / "data" / "scans" / name / "pd.nii.gz", image, affine)
        save_nifti(tmp_path / "data" / "scans" / name / "t2_1.nii.gz", image.max() - image, affine)
        save_nifti(tmp_path / "data" / "masks" / f"{name}-mask.nii.gz", label, affine)
    bundle = tmp_path / "knees_nacl"
    places = {"bundle_root": str(bundle), "dataset_dir": str(tmp_path / "data")}
    train, evaluate = (str(bundle / "configs" / f"{name}.json") for name in ("train", "evaluate"))
    run(config_file=train, epochs=1, **places)
    run(config_file=[train, evaluate], **places)
    run(config_file=str(bundle / "configs" / "inference.json"), **places)
    [tested] = json.loads((bundle / "eval" / "split.json").read_text())["test"]
    assert (bundle / "eval" / "predictions" / tested / f"{tested}_label.nii.gz").is_file()


@pytest.mark.parametrize(
    ("name", "sections", "said"),
    [
        ("knees", {"image": {"chanels": ["T2"]}}, "knees.json must set image#channels, a list; it sets chanels"),
        (
            "knees",
            {"train": {"class_names": ["knee", "background"]}},
            "knees.json: train#class_names is knee, background; the background must be the first, because its",
        ),
        ("knees", {"image": {}}, "knees.json must set image#channels, a list"),
        ("knees", {"image": {"channels": "T2"}}, "knees.json must set image#channels, a list"),
        (
            "knees",
            {"image": {"channels": ["PD", "T2"], "modalty": "MR"}},
            "knees.json sets image#modalty, which nothing takes; did you mean modality?",
        ),
        (
            "knees",
            {"image": {"channels": ["PD", "T2"], "x": 1}},
            "knees.json sets image#x, which nothing takes; it takes channels, modality, format",
        ),
        ("knees", {"image": {"channels": ["T2"]}}, "knees.json has 2 images and 1 channels; each channel is an image"),
        ("knees", {"both": {"slice_size": [48, 64]}}, "knees.json must set both#datalist#images, a list"),
        (
            "knees",
            {"both": own_part()["both"] | {"slice_size": [50, 64]}},
            "knees.json: slice_size is [50, 64]; it must be height and width, multiples of 16",
        ),
        ("knees", {"trian": {}}, "docs, evaluate, inference, with its keys; did you mean train?"),
        (
            "knees",
            {"numbers": {"pixdims": [1, 1, -1]}},
            "knees.json sets numbers#pixdims, which nothing in it takes; did you mean pixdim?",
        ),
        (
            "knees",
            {
                "both": {
                    "slice_size": [48, 64],
                    "datalist": own_part()["both"]["datalist"] | {"patients": "{patient}_*"},
                }
            },
            "knees.json sets both#datalist#patients, which nothing takes; did you mean patient?",
        ),
        (
            "knees",
            {"both": {"slice_size": [48, 64], "datalist": own_part()["both"]["datalist"] | {"patient": "p*"}}},
            "knees.json sets both#datalist#patient to 'p*'; it must be a pattern with {patient}",
        ),
        (
            "knees",
            {"both": {"slice_size": [48, 64], "datalist": own_part()["both"]["datalist"] | {"label": "m/{cas}.nii"}}},
            "knees.json, both#datalist: the pattern 'm/{cas}.nii' must name the case: put {case} where",
        ),
        (
            "knees",
            {
                "both": {
                    "slice_size": [48, 64],
                    "datalist": {"images": ["{case}.nii", "*.nii"], "label": "{case}_s.nii"},
                }
            },
            "knees.json, both#datalist: the pattern '*.nii' must name the case: put {case} where",
        ),
        (
            "knees",
            {"both": {"slice_size": [48, 64], "datalist": own_part()["both"]["datalist"] | {"label": "/m/{case}.nii"}}},
            "knees.json, both#datalist: the pattern '/m/{case}.nii' must be a path inside dataset_dir",
        ),
        ("knees", {"numbers": {"pixdim": [0.7, 0.7]}}, "numbers#pixdim to [0.7, 0.7]; it must have three sizes"),
        ("knees", {"numbers": {"pixdim": False}}, "numbers#pixdim to False; it must have three sizes"),
        ("knees", {"numbers": {"pixdim": [1, 0, 1]}}, "numbers#pixdim to [1, 0, 1]; it must have three sizes"),
        ("knees", {"numbers": {"\n": 1}}, "knees.json: the key '\\n' has characters that cannot be printed"),
        ("knees", {"image": None}, "knees.json: image must be one of the sections image, both"),
        (
            "knees",
            {"train": {"class_names": ["a", "b"], "epoch": 3}},
            "knees.json sets train#epoch, which scripts/parts/train.json does not name; did you mean epochs?",
        ),
        (
            "knees",
            {"metadata": {"tsk": "T"}},
            "knees.json sets metadata#tsk, which scripts/parts/metadata.json does not name; did you mean task?",
        ),
        (
            "knees",
            {"both": own_part()["both"] | {"loading": None}},
            "knees.json or scripts/parts/methods/nacl.json must set loading",
        ),
        (
            "Knees 2",
            {},
            "Knees 2.json must be called by lower-case words that are no data set here, as my_knees_2.json",
        ),
        ("acdc", {}, "must be called by lower-case words that are no data set here, as my_acdc.json: rename it"),
    ],
)
def test_a_part_of_ones_own_that_lacks_something_is_refused(
    name: str, sections: dict[str, Any], said: str, tmp_path: Path
) -> None:
    (tmp_path / f"{name}.json").write_text(json.dumps(own_part(**sections)))
    done = compose("--dataset", str(tmp_path / f"{name}.json"), "--method", "nacl", "--out", str(tmp_path))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert not (tmp_path / f"{name}_nacl").exists()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--dataset", "acdcc", "scripts/parts/datasets has no data set acdcc; it has acdc, .*; did you mean acdc?"),
        ("--method", "naci", "scripts/parts/methods has no method naci; it has .*; did you mean nacl?"),
        ("--dataset", "kneees.json", "kneees.json cannot be read: No such file or directory; did you mean knees.json?"),
    ],
)
def test_a_name_that_is_misspelled_is_told_with_the_nearest(
    option: str, value: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "knees.json").write_text(json.dumps(own_part()))
    monkeypatch.chdir(tmp_path)
    done = compose(option, value, "--out", str(tmp_path))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert re.fullmatch(f"error: .*{said.replace('?', '[?]')}", line)


def test_what_was_written_is_told(tmp_path: Path) -> None:
    done = compose("--dataset", "busi", "--method", "ce", "--method", "nacl", "--out", str(tmp_path))
    assert done.stdout.splitlines() == [str(tmp_path / "busi_ce"), str(tmp_path / "busi_nacl")]
    assert compose("--dataset", "busi", "--method", "ce", "--out", str(tmp_path), "--check").stdout == ""


def test_a_bundle_that_no_part_makes_is_found(tmp_path: Path) -> None:
    done = compose("--out", str(tmp_path))
    assert (done.returncode, done.stdout) == (0, f"{len(BUNDLES)} bundles and their README.md in {tmp_path}\n")
    (tmp_path / "hippocampus_stray").mkdir()
    (tmp_path / "hippocampus_stray" / "LICENSE").touch()
    done = compose("--out", str(tmp_path), "--check")
    assert done.returncode == 1
    assert "hippocampus_stray/LICENSE is made by no part in scripts/parts; remove it" in done.stderr


def test_the_pages_show_the_results_that_the_workflow_wrote() -> None:
    page = (COLLECTION / "hippocampus_ce" / "docs" / "README.md").read_text(encoding="utf-8").replace("**", "")
    table = re.search(r"\| method \|.*?\n\n", page, re.DOTALL)[0]
    shown = {
        name: re.findall(r"\| ([\d.]+)", line) for name, line in re.findall(r"^\| (\w+) (\|.*)$", table, re.MULTILINE)
    }
    measures = ("dice_foreground", "hd95_mm", "missed_structures", "ece_foreground", "cece_foreground")
    results = json.loads((REPOSITORY / "results" / "hippocampus" / "main" / "results.json").read_text(encoding="utf-8"))
    assert len(results["rows"]) > 10
    for name in results["rows"]:
        assert shown[name] == [mean(each, "main", name) for each in measures], name
