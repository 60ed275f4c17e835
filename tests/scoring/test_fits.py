"""Calibrating saved probabilities: fitted to some cases, measured on others, written as they came."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from saved_probs import AFFINE, FORMS, Folders, sharpened, with_more

from calib_monai.posthoc import TemperatureScaling
from calib_monai.reports.run_files import read_run, read_runs
from calib_monai.score import main
from calib_monai.scoring.arrays import stored_in


@pytest.mark.parametrize(("name", "stored"), FORMS.values(), ids=FORMS)
def test_a_temperature_is_fitted_to_some_cases_and_measured_on_others(
    folders: Callable[..., Folders], name: str, stored: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
) -> None:
    given = with_more(folders())
    paths = {case: given.write(case, name, stored(sharpened(one.probs))) for case, one in given.cases.items()}
    out = given.probs.parent / "out"
    with caplog.at_level(logging.WARNING):
        assert main([*given.options, "--calibrate", "ts", "--fit", "case_0", "case_1"]) == 0
    assert "fitted to 2 case(s)" in caplog.text
    before, after = read_runs([out / "eval", out / "eval_ts"])
    assert list(before.cases) == list(after.cases) == ["case_2", "case_3"]
    assert after.metrics["dice_foreground"] == before.metrics["dice_foreground"]
    assert after.metrics["nll_all"] < 0.9 * before.metrics["nll_all"]
    assert after.metrics["ece_plausible"] < before.metrics["ece_plausible"]
    assert (before.fitted_patients, after.fitted_patients) == (None, 2)
    told = json.loads((out / "calibration_ts.json").read_text())
    assert 2 < told["temperature_min"] < 6
    assert (out / "calibrator_ts.safetensors").is_file()
    again = given.probs.parent / "again"
    options = ["--out", str(again), "--probs", str(out / "calibrated"), "--cases", "case_2", "case_3"]
    assert main(given.line(*options)) == 0
    [measured] = read_runs([again])
    assert measured.metrics["nll_all"] == pytest.approx(after.metrics["nll_all"], rel=1e-4)
    written = out / "calibrated" / paths["case_2"].relative_to(given.probs)
    if name.endswith(".nii.gz"):
        headers = [nibabel.load(path).header for path in (written, paths["case_2"])]
        assert headers[0].get_data_dtype() == np.float32
        assert headers[0].get_data_shape() == headers[1].get_data_shape()
        np.testing.assert_allclose(headers[0].get_best_affine(), AFFINE, atol=1e-5)
    assert not (out / "calibrated" / paths["case_0"].name).exists()


def test_it_is_the_temperature_of_their_logarithms(folders: Callable[..., Folders]) -> None:
    given = folders()
    for case, one in given.cases.items():
        given.write(case, "{}.npy", sharpened(one.probs))
    assert main([*given.options, "--calibrate", "ts", "--fit", "case_0"]) == 0
    probs, label = given.cases["case_0"]
    calibrator = TemperatureScaling()
    logits = torch.from_numpy(sharpened(probs)).clamp(min=1e-7).log()[None]
    report = calibrator.fit([(logits, torch.from_numpy(label)[None, None])])
    told = json.loads((given.probs.parent / "out" / "calibration_ts.json").read_text())
    assert told["temperature_min"] == pytest.approx(report.temperature_min, rel=1e-5)


def test_another_folder_may_be_fitted_to(folders: Callable[..., Folders], tmp_path: Path) -> None:
    given = with_more(folders())
    fold, labels = tmp_path / "fold_0" / "validation", tmp_path / "fold_0" / "labels"
    for folder in (fold, labels):
        folder.mkdir(parents=True)
    for index, (case, one) in enumerate(given.cases.items()):
        if index > 1:
            given._replace(probs=fold).write(case, "{}.npz", sharpened(one.probs).transpose(0, 3, 2, 1))
            (given.labels / f"{case}.nii.gz").rename(labels / f"{case}.nii.gz")
        else:
            given.write(case, "{}.npz", sharpened(one.probs).transpose(0, 3, 2, 1))
    options = [*given.options, "--calibrate", "ts", "--fit", str(fold), "--fit_labels", str(labels)]
    assert main(options) == 0
    assert json.loads((tmp_path / "out" / "scored.json").read_text())["fitted_to"] == ["case_2", "case_3"]
    with pytest.raises(ValueError, match="what is fitted to a case cannot be measured on it"):
        main([*given.options, "--calibrate", "ts", "--fit", str(given.probs)])


def test_a_case_that_was_fitted_to_is_not_measured_under_another_name(
    folders: Callable[..., Folders], tmp_path: Path
) -> None:
    given = with_more(folders(), 3)
    fold, labels = tmp_path / "fold", tmp_path / "fold_labels"
    for folder in (fold, labels):
        folder.mkdir()
    for case, one in given.cases.items():
        given.write(case, "{}.npz", sharpened(one.probs).transpose(0, 3, 2, 1))
    rounded = sharpened(given.cases["case_1"].probs).astype(np.float16).astype(np.float32)
    copied = (rounded / rounded.sum(axis=0))[:, ::-1].transpose(0, 3, 2, 1)
    given._replace(probs=fold).write("renamed", "{}.npz", copied)
    label = nibabel.load(given.labels / "case_1.nii.gz").as_reoriented([[0, -1], [1, 1], [2, 1]])
    nibabel.save(label, labels / "renamed.nii.gz")
    options = [*given.options, "--calibrate", "ts", "--fit", str(fold), "--fit_labels", str(labels)]
    with pytest.raises(ValueError, match=r"case_1 is a copy of renamed, to which the calibrator was fitted: .*--cases"):
        main(options)
    assert not [*(tmp_path / "out").iterdir()]
    assert main([*options, "--cases", "case_0", "case_2"]) == 0
    noisy = given.cases["case_2"].probs * np.random.default_rng(0).uniform(0.2, 1, given.cases["case_2"].probs.shape)
    another = (noisy / noisy.sum(axis=0)).astype(np.float32)[:, ::-1].transpose(0, 3, 2, 1)
    given._replace(probs=fold).write("renamed", "{}.npz", another)
    assert main([*options, "--overwrite"]) == 0
    [caution] = json.loads((tmp_path / "out" / "eval" / "summary.json").read_text())["cautions"]
    assert "3 case(s) have the label, voxel by voxel, of a case to which the calibrator was fitted, first" in caution


def test_copies_among_the_measured_cases_are_told(folders: Callable[..., Folders], tmp_path: Path) -> None:
    given = with_more(folders(), 3)
    for case in given.cases:
        given.write(case, "{}.npy", given.cases["case_1" if case == "case_2" else case].probs)
    assert main(given.options) == 0
    [caution] = json.loads((tmp_path / "out" / "summary.json").read_text())["cautions"]
    assert caution == "1 case(s) are copies of others, first case_2 of case_1: each counts again"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda label: np.uint8([0, 2, 1])[label],
            "of the cases of --fit, the channels look like those of other classes",
        ),
        (lambda label: label[::-1], "of the cases of --fit, the arrays look turned: .* with x reversed it is"),
    ],
)
def test_cases_to_fit_to_that_do_not_fit_their_labels_are_refused(
    folders: Callable[..., Folders], change: Callable[[Any], Any], said: str
) -> None:
    given = with_more(folders())
    for case, one in given.cases.items():
        given.write(case, "{}.npy", sharpened(one.probs))
        if case in ("case_0", "case_1"):
            nibabel.save(nibabel.Nifti1Image(change(one.label), AFFINE), given.labels / f"{case}.nii.gz")
    options = [*given.options, "--calibrate", "ts", "--fit", "case_0", "case_1"]
    with pytest.raises(ValueError, match=said):
        main(options)
    assert not [*(given.probs.parent / "out").iterdir()]
    assert main([*options, "--any_fit"]) == 0


def with_slope(values: np.ndarray[Any, Any], dtype: Any) -> Any:
    """A NIfTI of probabilities, (X, Y, Z, C), whose header has a slope."""
    whole = min(np.iinfo(dtype).max, 2**24 - 1)
    image: Any = nibabel.Nifti1Image(np.round(values * whole).astype(dtype), AFFINE, dtype=dtype)
    image.header.set_slope_inter(1 / whole, 0)
    return image


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".nii.gz"])
@pytest.mark.parametrize(
    ("dtype", "whole"),
    [
        *((dtype, None) for dtype in ("float16", "float32", "float64", ">f4")),
        *((dtype, 255) for dtype in ("uint8", "int16", "uint16", "int32", "int64", "uint64")),
        *((dtype, 65535) for dtype in ("uint16", ">u2", "int32", "uint32", "int64")),
        *((dtype, "slope") for dtype in ("uint8", "int8", "int16", "uint16", "int32", "int64")),
    ],
)
def test_calibrated_files_are_read_again_as_they_were_measured(
    folders: Callable[..., Folders], suffix: str, dtype: str, whole: Any
) -> None:
    """In the format and the shape of the given files, and at least in single precision."""
    is_nifti = suffix == ".nii.gz"
    if (whole == "slope" and not is_nifti) or (dtype == "float16" and is_nifti):
        pytest.skip("no such file")
    given = folders()
    for case, one in given.cases.items():
        probs = sharpened(one.probs)
        sure = probs.max(0) > 0.99  # 1 is the number that overflows
        probs = np.where(sure, probs == probs.max(0), probs).astype(np.float32)
        path = given.probs / f"{case}{suffix}"
        values = (probs if whole is None else np.round(probs * (whole if whole != "slope" else 1))).astype(dtype)
        if whole == "slope":
            nibabel.save(with_slope(np.moveaxis(probs, 0, -1), np.dtype(dtype)), path)
        elif is_nifti:
            nibabel.save(nibabel.Nifti1Image(np.moveaxis(values, 0, -1), AFFINE, dtype=values.dtype), path)
        elif suffix == ".npz":
            np.savez(path, probs=values)
        else:
            np.save(path, values)
    assert main([*given.options, "--calibrate", "ts", "--fit", "case_0"]) == 0
    out = given.probs.parent / "out"
    written, before = stored_in(str(out / "calibrated" / path.name)), stored_in(str(path))
    expected = "f8" if before.dtype.str[1:] == "f8" else "f4"
    assert (written.dtype.str[1:], written.shape, written.is_scaled) == (expected, before.shape, False)
    again = given.line("--probs", str(out / "calibrated"), "--out", str(out.parent / "again"), "--cases", "case_1")
    assert main(again) == 0
    [there, here] = [read_run(folder) for folder in (out / "eval_ts", out.parent / "again")]
    for name in ("nll_all", "brier_all", "dice_foreground"):
        assert here.metrics[name] == pytest.approx(there.metrics[name], rel=1e-4)


@pytest.mark.parametrize("whole", [None, 255, 65535])
def test_a_probability_of_0_counts_alike_before_and_after_a_fit(folders: Callable[..., Folders], whole: Any) -> None:
    """Labels are drawn from the probabilities, so no temperature helps, and what was missed at 0 is no gain."""
    given, rng = with_more(folders()), np.random.default_rng(0)
    for case, one in given.cases.items():
        drawn = (rng.random(one.label.shape) > one.probs.cumsum(0)[:-1]).sum(0).astype(np.uint8)
        missed = rng.random(drawn.shape) < 0.004
        probs = np.where(missed, np.float32([1, 0, 0])[:, None, None, None], one.probs)
        nibabel.save(
            nibabel.Nifti1Image(np.where(missed, 1, drawn).astype(np.uint8), AFFINE), given.labels / f"{case}.nii.gz"
        )
        np.save(
            given.probs / f"{case}.npy",
            probs if whole is None else np.rint(whole * probs).astype(f"u{1 + whole // 256 % 2}"),
        )
    assert main([*given.options, "--calibrate", "ts", "--fit", "case_0", "case_1", "--any_fit"]) == 0
    out = given.probs.parent / "out"
    before, after = (run.metrics["nll_all"] for run in read_runs([out / "eval", out / "eval_ts"]))
    assert after == pytest.approx(before, rel=0.05)
    again = given.line(
        "--probs",
        str(out / "calibrated"),
        "--out",
        str(out.parent / "again"),
        "--cases",
        "case_2",
        "case_3",
        "--any_fit",
    )
    assert main(again) == 0
    assert read_run(out.parent / "again").metrics["nll_all"] == pytest.approx(after, rel=1e-4)


def test_calibrated_logits_are_written_as_probabilities(folders: Callable[..., Folders]) -> None:
    given = folders()
    for case, one in given.cases.items():
        np.savez(
            given.probs / f"{case}.npz", logits=np.round(np.log(one.probs) * 100).astype(np.int16), probs=one.probs
        )
    assert main([*given.options, "--logits", "--calibrate", "ts", "--fit", "case_0"]) == 0
    out = given.probs.parent / "out"
    with np.load(out / "calibrated" / "case_1.npz") as written:
        assert {name: written[name].dtype for name in written} == {"probs": np.float32}
        np.testing.assert_allclose(written["probs"].sum(0), 1, atol=1e-5)
    assert json.loads((out / "calibration_ts.json").read_text())["temperature_min"] > 20


def test_local_temperatures_take_the_images(folders: Callable[..., Folders], tmp_path: Path) -> None:
    given = folders()
    images = tmp_path / "images"
    images.mkdir()
    for case, one in given.cases.items():
        given.write(case, "{}.npz", sharpened(one.probs).transpose(0, 3, 2, 1))
        for channel in range(2):
            image = nibabel.Nifti1Image(one.label.astype(np.float32) + channel, AFFINE)
            nibabel.save(image, images / f"{case}_000{channel}.nii.gz")
    assert main([*given.options, "--calibrate", "lts", "--fit", "case_0", "--images", str(images)]) == 0
    before, after = read_runs([tmp_path / "out" / "eval", tmp_path / "out" / "eval_lts"])
    assert after.metrics["dice_foreground"] == before.metrics["dice_foreground"]
    assert after.metrics["nll_all"] != before.metrics["nll_all"]
    assert (tmp_path / "out" / "calibrator_lts.safetensors").is_file()
