"""Scoring: the numbers are those of an evaluation, whatever file the probabilities come from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nibabel
import numpy as np
import pytest
from committed import config_of, metrics_of
from saved_probs import AFFINE, Case, Evaluated, Folders

from calib_monai.reports.run_files import FILES, read_run
from calib_monai.score import main
from calib_monai.scoring.evaluation import METRICS

FIRST, LAST = (lambda case: case.probs), (lambda case: np.moveaxis(case.probs, 0, -1))


def summary(folder: Path) -> dict[str, Any]:
    """The measures of a run."""
    return json.loads((folder / "summary.json").read_text())["metrics"]


def numbers(values: Any, path: str = "") -> dict[str, Any]:
    """Every value of nested dictionaries by its place."""
    if not isinstance(values, dict):
        return {path: values}
    return {place: one for name, inner in values.items() for place, one in numbers(inner, f"{path}/{name}").items()}


def scored(folders: Folders, *options: str) -> dict[str, Any]:
    """The measures of the probabilities in a folder, by their places."""
    assert main(folders.line(*options)) == 0
    return numbers(summary(folders.probs.parent / "out"))


@pytest.fixture
def expected(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Folders], Any]:
    """The measures of these cases as 4D NIfTI."""

    def measured(given: Folders) -> dict[str, Any]:
        elsewhere = tmp_path_factory.mktemp("niftis")
        nifti = given._replace(probs=elsewhere / "probs")
        for name, case in given.cases.items():
            nifti.write(name, "{}.nii.gz", LAST(case))
        return scored(nifti)

    return measured


@pytest.mark.parametrize("form", ["nii.gz", "npz"])
def test_saved_probabilities_of_an_evaluation_have_its_measures(
    evaluated: Evaluated, tmp_path: Path, form: str
) -> None:
    """To 1e-6, every number of every metric and class."""
    probs = evaluated.probs
    if form == "npz":
        probs = tmp_path / "npz"
        probs.mkdir()
        for file in evaluated.probs.glob("*/*_probs.nii.gz"):
            values = np.asarray(nibabel.load(file).dataobj, np.float32)
            np.savez_compressed(probs / f"{file.parent.name}.npz", probabilities=values.transpose(3, 2, 1, 0))
    out = tmp_path / "scored"
    assert main(["--probs", str(probs), "--labels", str(evaluated.labels), "--out", str(out), "--no_figures"]) == 0
    here, there = numbers(summary(out)), numbers(summary(evaluated.run))
    assert here == {
        place: pytest.approx(value, rel=0, abs=1e-6, nan_ok=True) if isinstance(value, float) else value
        for place, value in there.items()
    }
    assert [name for name in FILES if not (out / name).is_file()] == []
    assert read_run(out).class_names == read_run(evaluated.run).class_names


def test_what_is_measured_is_what_an_evaluation_measures() -> None:
    validate = config_of("hippocampus_nacl", "evaluate")["+validate"]
    assert list(validate["additional_metrics"]["calibration"]["metrics"]) == list(METRICS)
    assert metrics_of(validate) - set(METRICS) == {
        *("dice_foreground", "hd95_mm", "asd_mm", "missed_structures", "volume_difference", "expected_dice")
    }


@pytest.mark.parametrize(
    ("name", "stored", "options"),
    [
        ("{}_probs.nii.gz", FIRST, []),
        ("{0}/{0}_softmax.nii", LAST, []),
        ("{}.npy", FIRST, []),
        ("{}.npy", LAST, []),
        ("{}.npy", lambda case: case.probs.transpose(3, 2, 1, 0), []),
        ("{}.npy", lambda case: np.asfortranarray(case.probs), []),
        ("{}.npz", lambda case: case.probs.transpose(0, 3, 2, 1), []),
        ("{}.nii.gz", lambda case: LAST(case)[:, :, :, None], []),
        ("{}.nii.gz", lambda case: LAST(case)[..., [2, 0, 1]], ["--order", "tumor", "background", "liver"]),
        ("{}.npy", lambda case: case.probs[[1, 2, 0]], ["--order", "liver", "tumor", "background"]),
    ],
)
def test_a_file_of_any_form_has_the_same_measures(
    folders: Callable[..., Folders],
    expected: Callable[[Folders], Any],
    name: str,
    stored: Callable[[Case], Any],
    options: list[str],
) -> None:
    given = folders()
    for case, made in given.cases.items():
        given.write(case, name, stored(made))
    assert scored(given, *options) == expected(given)


@pytest.mark.parametrize("name", ["{}_%s.nii.gz", "{}/%s.nii.gz", "{}_class_%s.nii.gz"])
def test_a_file_for_each_class_has_the_same_measures(
    folders: Callable[..., Folders], expected: Callable[[Folders], Any], name: str
) -> None:
    given = folders()
    for case, made in given.cases.items():
        for index, of_class in enumerate(("background", "liver", "tumor")):
            given.write(case, name % (index if "class" in name else of_class), made.probs[index])
    assert scored(given) == expected(given)


def test_the_axes_of_cubes_must_be_said(folders: Callable[..., Folders], expected: Callable[[Folders], Any]) -> None:
    given = folders(size=(8, 8, 8))
    for case, made in given.cases.items():
        given.write(case, "{}.npy", made.probs.transpose(0, 3, 2, 1))
    with pytest.raises(ValueError, match="both --axes cxyz and --axes czyx fit"):
        main(given.options)
    assert scored(given, "--axes", "czyx") == expected(given)


def test_what_lies_outside_of_the_crop_of_nnunet_is_background(
    folders: Callable[..., Folders], expected: Callable[[Folders], Any]
) -> None:
    given = folders()
    filled = given._replace(cases={})
    for name, case in given.cases.items():
        probs = case.probs.copy()
        outside = np.ones(probs.shape[1:], np.bool_)
        outside[1:, 2:7, :9] = False
        probs[:, outside] = 0
        given.write(name, "{}.npz", probs.transpose(0, 3, 2, 1))
        probs[0, outside] = 1
        filled.cases[name] = Case(probs, case.label)
    assert scored(given) == expected(filled)


@pytest.mark.parametrize("steps", [255, 65535])
@pytest.mark.parametrize("in_header", [True, False])
def test_scaled_whole_numbers_are_probabilities_to_a_step(
    folders: Callable[..., Folders], expected: Callable[[Folders], Any], steps: int, *, in_header: bool
) -> None:
    given = folders()
    dtype = np.uint8 if steps == np.iinfo(np.uint8).max else np.uint16
    for case, made in given.cases.items():
        path = given.write(case, "{}.nii.gz", np.round(LAST(made) * steps).astype(dtype))
        if in_header:
            image = nibabel.load(path)
            raw = np.asarray(image.dataobj)
            image.header.set_slope_inter(1 / steps, 0)
            scaled = nibabel.Nifti1Image(raw / steps, AFFINE, image.header)
            nibabel.save(scaled, path)
    here, there = scored(given), expected(given)
    for name in ("nll_all", "brier_all", "dice_foreground"):
        assert here[f"/{name}/value"] == pytest.approx(there[f"/{name}/value"], rel=5 / steps)


def test_logits_are_taken_with_an_option(folders: Callable[..., Folders], expected: Callable[[Folders], Any]) -> None:
    given = folders()
    for case, made in given.cases.items():
        given.write(case, "{}.nii.gz", np.log(LAST(made)) + 3)
    here, there = scored(given, "--logits"), expected(given)
    for name in ("nll_all", "brier_all", "dice_foreground"):
        assert here[f"/{name}/value"] == pytest.approx(there[f"/{name}/value"], rel=1e-4)
    assert (given.probs.parent / "out" / "logits.json").is_file()


@pytest.mark.parametrize(
    ("stored", "close"),
    [
        (lambda logits: logits - logits.mean(-1, keepdims=True), 1e-4),
        (lambda logits: logits - logits.mean(-1, keepdims=True) + 1, 1e-4),
        (lambda logits: np.round(100 * (logits - logits.mean(-1, keepdims=True))).astype(np.int16), None),
        (lambda logits: logits - logits.min(), 1e-4),
    ],
    ids=["centered", "sums of 3", "whole numbers", "none below 0"],
)
def test_logits_are_none_the_less_logits(
    folders: Callable[..., Folders], expected: Callable[[Folders], Any], stored: Callable[[Any], Any], close: float
) -> None:
    given = folders()
    for case, made in given.cases.items():
        given.write(case, "{}.nii.gz", stored(np.log(LAST(made))))
    here = scored(given, "--logits")
    if close is not None:
        assert here["/nll_all/value"] == pytest.approx(expected(given)["/nll_all/value"], rel=close)


def test_one_channel_is_the_only_structure_with_an_option(folders: Callable[..., Folders]) -> None:
    given = folders(classes=2)
    names = ["--classes", "background", "lesion"]
    for case, made in given.cases.items():
        given.write(case, "{}.nii.gz", LAST(made))
    there = scored(given, *names)
    for case, made in given.cases.items():
        given.write(case, "{}.nii.gz", made.probs[1])
    here = scored(given, *names, "--foreground")
    assert here == {
        place: pytest.approx(value, abs=1e-4) if isinstance(value, float) else value for place, value in there.items()
    }


@pytest.mark.parametrize("structure", ["probable_lesion", "softmaxed probes", "lesion"])
@pytest.mark.parametrize("name", ["{}_%s.nii.gz", "{}_probs_%s.nii.gz", "{}_%s_prob_map.nii.gz"])
def test_a_class_may_be_called_like_probabilities(folders: Callable[..., Folders], structure: str, name: str) -> None:
    given, names = folders(), ["background", structure, "tumor"]
    for case, made in given.cases.items():
        for index, of_class in enumerate(names):
            given.write(case, name % of_class.replace(" ", "_"), made.probs[index])
    assert scored(given, "--classes", *names)["/nll_all/voxels"]


@pytest.mark.parametrize(
    ("empty", "options"),
    [
        (lambda probs: np.rint(255 * np.moveaxis(probs, 0, -1)).astype(np.uint8), ()),
        (lambda probs: np.rint(255 * probs[1]).astype(np.uint8), ("--foreground", "--classes", "background", "lesion")),
        (lambda probs: 300 * (np.moveaxis(probs, 0, -1) - 0.5), ("--logits",)),
    ],
    ids=["bytes", "one structure", "logits"],
)
def test_a_case_in_which_nothing_is_predicted_is_measured(
    folders: Callable[..., Folders],
    empty: Callable[[Any], Any],
    options: tuple[str, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    given = folders(classes=2 if "--foreground" in options else 3)
    for case, made in given.cases.items():
        probs = np.zeros_like(made.probs) if case == "case_1" else made.probs
        probs[0] += case == "case_1"
        given.write(case, "{}.nii.gz", empty(probs))
    assert scored(given, *options)["/nll_all/voxels"]
    assert "case_1.nii.gz predicts nothing: the background has the probability 1 in each voxel" in caplog.text


def test_files_of_several_structures_go_before_a_segmentation_beside_them(folders: Callable[..., Folders]) -> None:
    given = folders()
    for case, made in given.cases.items():
        given.write(case, "{}.nii.gz", LAST(made))
    there = scored(given)
    for case, made in given.cases.items():
        given.write(case, "{}.nii.gz", made.label)
        for index, name in enumerate(("liver", "tumor"), 1):
            given.write(case, f"{{}}_{name}.nii.gz", made.probs[index])
    assert scored(given, "--foreground")["/nll_all/value"] == pytest.approx(there["/nll_all/value"], abs=1e-4)


@pytest.mark.parametrize("stored", ["cxyz", "xyzc", "czyx"])
def test_a_large_file_is_read_piece_by_piece(folders: Callable[..., Folders], stored: str) -> None:
    given, told = folders(), []
    for case, one in given.cases.items():
        values = one.probs.transpose(["cxyz".index(axis) for axis in stored])
        given.write(case, "{}.npz" if stored == "czyx" else "{}.nii.gz", values)
    for most in (2**22, 1):
        with patch("calib_monai.scoring.arrays.MOST_OF_A_PIECE", most):
            assert main(given.options) == 0
        told.append((given.probs.parent / "out" / "cases.csv").read_text())
    assert told[0] == told[1]
