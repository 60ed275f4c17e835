"""Labels of scored cases: each is found by its own name, whatever others are called."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel
import numpy as np
import pytest
from saved_probs import AFFINE, Folders

from calib_monai.loading import LoadCased
from calib_monai.score import main
from calib_monai.scoring.labels import labels_in


@pytest.mark.parametrize(
    ("labels", "probs", "expected"),
    [
        (["a", "b", "c_seg"], ["a", "b", "c"], {"a": "a", "b": "b", "c": "c_seg"}),
        (["a", "a_seg"], ["a"], {"a": "a_seg"}),
        (["a_0000", "a_seg"], ["a_probs"], {"a": "a_seg"}),
        (["m_mask_0", "m_mask_1"], ["m_mask_0", "m_mask_1_probs"], {"m_mask_0": "m_mask_0", "m_mask_1": "m_mask_1"}),
        (["a_seg"], ["a", "a_seg"], {"a": "a_seg"}),
        (["a_seg"], ["a_liver", "a_tumor"], {"a": "a_seg"}),
        (["a_seg"], ["a_seg"], {"a_seg": "a_seg"}),
        (["a_seg", "b"], ["a", "b_0", "b_1"], {"a": "a_seg", "b": "b"}),
    ],
)
def test_a_label_is_of_the_case_whose_probabilities_are_there(
    tmp_path: Path, labels: Sequence[str], probs: Sequence[str], expected: dict[str, str]
) -> None:
    for name in labels:
        (tmp_path / f"{name}.nii.gz").touch()
    found = labels_in(tmp_path, [tmp_path / "probs" / f"{name}.nii.gz" for name in probs])
    assert found == {case: tmp_path / f"{name}.nii.gz" for case, name in expected.items()}


def test_labels_may_lie_beside_the_probabilities(tmp_path: Path) -> None:
    for name in ("a_seg", "a_probs", "b_seg", "b_probs"):
        (tmp_path / f"{name}.nii.gz").touch()
    found = labels_in(tmp_path, sorted(tmp_path.iterdir()))
    assert found == {"a": tmp_path / "a_seg.nii.gz", "b": tmp_path / "b_seg.nii.gz"}


def test_volumes_of_probabilities_without_a_label_are_refused(folders: Callable[..., Folders]) -> None:
    given = folders(classes=2)
    for case, one in given.cases.items():
        given.write(case, "{}.nii.gz", one.probs[1])
    (given.labels / "case_1.nii.gz").rename(given.labels / "other.nii.gz")
    options = given.line("--classes", "background", "lesion", "--foreground")
    with pytest.raises(ValueError, match=r"1 file\(s\) of --probs .* have no label .*, first .*case_1.nii.gz"):
        main(options)
    for values in (given.cases["case_1"].label, 50 * given.cases["case_1"].probs[1]):  # a segmentation, an image
        nibabel.save(nibabel.Nifti1Image(values.astype(np.float32), AFFINE), given.probs / "case_1.nii.gz")
        assert main(options) == 0


@pytest.mark.parametrize("further", [1, 2, 3])
def test_further_axes_of_a_label_that_are_1_long_are_dropped(folders: Callable[..., Folders], further: int) -> None:
    given = folders()
    for case, one in given.cases.items():
        given.write(case, "{}.npy", one.probs)
        label = one.label.reshape(*one.label.shape, *[1] * further)
        nibabel.save(nibabel.Nifti1Image(label, AFFINE), given.labels / f"{case}.nii.gz")
    assert main(given.options) == 0
    measured = json.loads((given.probs.parent / "out" / "summary.json").read_text())["metrics"]["nll_all"]
    assert measured["voxels"] == sum(one.label.size for one in given.cases.values())


def test_an_image_loses_further_axes_and_keeps_its_grid(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    nibabel.save(nibabel.Nifti1Image(values[..., None, None], AFFINE), tmp_path / "image.nii")
    nibabel.save(nibabel.Nifti1Image(values, AFFINE), tmp_path / "label.nii")
    loaded = LoadCased()({name: str(tmp_path / f"{name}.nii") for name in ("image", "label")})
    assert loaded["image"].shape == (1, 2, 3, 4)
    np.testing.assert_array_equal(loaded["image"], loaded["label"])
    np.testing.assert_allclose(loaded["image"].affine, AFFINE)
    assert tuple(loaded["image"].meta["file_shape"]) == (2, 3, 4, 1, 1)
