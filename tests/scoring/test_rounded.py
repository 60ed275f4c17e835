"""Probabilities that were rounded to 0 or 1: their likelihood is not infinite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from saved_probs import AFFINE, Folders

from calib_monai.reports.run_files import read_run
from calib_monai.score import main


@pytest.mark.parametrize(
    ("dtype", "whole", "step"), [("float16", 1, 2**-24), ("uint8", 255, 1 / 255), ("uint16", 65535, 1 / 65535)]
)
def test_a_likelihood_does_not_depend_on_what_was_rounded_to_0(
    folders: Callable[..., Folders], caplog: pytest.LogCaptureFixture, dtype: str, whole: int, step: float
) -> None:
    """Labels are drawn from probabilities of which some are below half a step."""
    given, rng = folders(), np.random.default_rng(0)
    rounded = given.probs.parent / "rounded"
    rounded.mkdir()
    for case, one in given.cases.items():
        probs = one.probs.copy()
        probs[1] = np.where(rng.random(probs[1].shape) < 0.2, 0.3 * step, probs[1])
        probs /= probs.sum(0)
        label = (rng.random(one.label.shape) > probs.cumsum(0)[:-1]).sum(0).astype(np.uint8)
        label[probs[1] < step / 2] = np.where(rng.random(label[probs[1] < step / 2].shape) < 0.01, 1, 0)
        nibabel.save(nibabel.Nifti1Image(label, AFFINE), given.labels / f"{case}.nii.gz")
        np.save(given.probs / f"{case}.npy", probs.astype(np.float32))
        values = probs * whole
        np.save(rounded / f"{case}.npy", (np.rint(values) if whole > 1 else values).astype(dtype))
    out = given.probs.parent / "out"
    assert main([*given.line(), "--any_fit"]) == 0
    assert "are stored in steps" not in caplog.text
    assert main([*given.line("--probs", str(rounded), "--out", f"{out}_rounded"), "--any_fit"]) == 0
    assert f"probabilities are stored in steps of {step:.2g}" in caplog.text
    exact, here = (read_run(folder) for folder in (out, Path(f"{out}_rounded")))
    assert here.metrics["nll_all"] == pytest.approx(exact.metrics["nll_all"], rel=0.02)
    assert here.settings["nll_all"]["least"] == pytest.approx(step / 2)


def test_what_a_sigmoid_leaves_to_the_background_is_not_0_where_it_was_rounded_to_1(
    folders: Callable[..., Folders],
) -> None:
    given, costs = folders(classes=2), []
    for case, one in given.cases.items():
        lesion = np.linspace(0.3, 0.7, one.label.size, dtype=np.float32).reshape(one.label.shape)
        lesion[0, 0, 0] = 1  # where the label is background
        of_label = np.where(one.label == 1, lesion, np.maximum(1 - lesion, 2.0**-25))
        costs.append(-np.log(of_label).mean())
        np.save(given.probs / f"{case}.npy", lesion)
    assert main(given.line("--foreground", "--classes", "background", "lesion", "--any_fit")) == 0
    told = read_run(given.probs.parent / "out").metrics
    assert told["nll_all"] == pytest.approx(np.mean(costs), rel=1e-5)
