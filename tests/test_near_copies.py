"""Near copies: an image in other precision, with noise or cut off is one, and that of another case is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from checked_phantoms import check, warnings_in
from numpy.typing import NDArray

Array = NDArray[Any]


def near_copy(folder: Path, source: str, target: str, change: Callable[[Array], Array]) -> None:
    """Give a case the label of another one, and its changed image."""
    for place in ("imagesTr", "labelsTr"):
        image = nibabel.load(folder / place / f"{source}.nii.gz")
        values = np.asarray(image.dataobj)
        changed = change(values.astype(np.float64)) if place == "imagesTr" else values
        nibabel.save(nibabel.Nifti1Image(changed, image.affine), folder / place / f"{target}.nii.gz")


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.round().astype(np.int16),
        lambda image: (255 * image / image.max()).round().astype(np.uint8),
        lambda image: image + 1e-3 * image.max() * np.random.default_rng(0).standard_normal(image.shape),
        lambda image: image.clip(None, np.percentile(image, 99)),
    ],
    ids=["int16", "uint8", "noise", "clipped"],
)
def test_a_near_copy_of_a_test_case_in_the_training_is_told(
    change: Callable[[Array], Array], phantom_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    split = check(phantom_dir)
    trained, tested = (split[name][0]["case"] for name in ("training", "test"))
    caplog.clear()
    near_copy(phantom_dir, tested, trained, change)
    check(phantom_dir, overwrite=True)
    [line] = [line for line in warnings_in(caplog) if "the label of" in line]
    both = {f"{trained} (training)", f"{tested} (test)"}
    assert all(one in line for one in both)
    assert "and their images are nearly the same: leave one out. Results on an image that was" in line


def test_the_image_of_another_case_is_no_near_copy(phantom_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    near_copy(phantom_dir, "phantom_001", "phantom_002", np.random.default_rng(0).permutation)
    check(phantom_dir)
    [line] = [line for line in warnings_in(caplog) if "the label of" in line]
    assert "whose image is another one" in line
