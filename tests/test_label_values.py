"""Label values: those of other data become the classes of the model, and no other step changes them again."""

from __future__ import annotations

from math import nan

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Flipd

from calib_monai.label_values import SAMPLED, check_contents, check_keeps_classes, check_no_label, with_classes
from calib_monai.presets import relabel


def test_values_become_classes_all_at_once_and_the_tensor_stays() -> None:
    label = MetaTensor(torch.tensor([[0.0, 1, 2, 3, 255]]), affine=torch.diag(torch.tensor([1.0, 2, 3, 1])))
    mapped = with_classes(label, {0: 0, 1: 3, 2: 2, 3: 1, 255: 255}, "a.nii")
    assert mapped.tolist() == [[0, 3, 2, 1, 255]]
    assert label.tolist() == [[0, 1, 2, 3, 255]]
    assert torch.equal(mapped.affine, label.affine)


@pytest.mark.parametrize(
    ("values", "shown"),
    [([0.0, 4], "4"), ([1.0, 0.5], "0.5"), ([-1.0, 9, *[nan] * 3], "-1, 9, nan"), ([2.0**32 + 1], "about 4294967296")],
)
def test_a_value_without_a_class_is_refused_with_its_file(values: list[float], shown: str) -> None:
    with pytest.raises(ValueError, match=rf"^a\.nii holds the label value\(s\) {shown}; .* name 0, 1"):
        with_classes(MetaTensor(torch.tensor([values])), {0: 0, 1: 2}, "a.nii")


def test_a_loading_that_changes_classes_again_is_refused() -> None:
    check_keeps_classes(Compose([Flipd("label"), relabel([4], [3])]), 4, "b.json")
    with pytest.raises(ValueError, match=r"^b\.json gives labels, and the loading of this bundle changes label values"):
        check_keeps_classes(Compose([Compose([relabel([1, 2], [1, 1])])]), 4, "b.json")


@pytest.mark.parametrize("values", [(0, 0.5, 1), (0, 1, 3), (-1, 0, 1), (0, 255), (0, 1, 40)])
def test_an_image_is_not_taken_for_a_label(values: tuple[float, ...]) -> None:
    check_no_label(torch.tensor(values).view(1, 1, -1), "a.nii", 3)
    check_no_label(torch.tensor(values).view(1, 1, -1), "a.nii", 3 if max(values) < 40 else 50)


def test_every_voxel_of_an_image_is_looked_at_if_some_look_like_a_label() -> None:
    image = torch.arange(SAMPLED * 3.0).fmod(3).view(1, 1, -1)
    with pytest.raises(ValueError, match=r"^a\.nii holds only whole numbers from 0 to 2, as a label does"):
        check_no_label(image, "a.nii", 3)
    image[..., 1] = 0.5  # between two that are looked at first
    check_no_label(image, "a.nii", 3)


def test_a_label_with_ignored_voxels_is_one() -> None:
    label = torch.tensor([0.0, 1, 2, 255]).view(1, 1, -1)
    check_no_label(label, "a.nii", 3)
    with pytest.raises(ValueError, match="as a label does"):
        check_no_label(label, "a.nii", 3, ignore_index=255)


def test_a_channel_that_is_a_file_of_its_own_is_looked_at_alone() -> None:
    image = torch.rand(3, 6, 6, 4)
    files = ["t1.nii.gz", "seg.nii.gz", "t2.nii.gz"]
    check_contents(image, files, "t1.nii.gz (with 2 more)", 4)
    image[1] = 0.5
    with pytest.raises(ValueError, match=r"^seg.nii.gz holds one value only, 0.5, in all its voxels"):
        check_contents(image, files, "t1.nii.gz (with 2 more)", 4)
    image[1, 3:] = 1
    image[1, :3] = 0
    with pytest.raises(ValueError, match=r"^seg.nii.gz holds only whole numbers from 0 to 3, as a label does"):
        check_contents(image, files, "t1.nii.gz (with 2 more)", 4)
    check_contents(image, ["rgb.png"], "rgb.png", 4)  # of one file: a color may be the same everywhere


def test_an_image_of_two_values_is_told_as_a_mask(caplog: pytest.LogCaptureFixture) -> None:
    image = torch.zeros(1, 200, 200)
    image[0, 50:90, 50:90] = 255
    check_contents(image, ["a.png"], "a.png", 2)
    assert "a.png holds two values alone, 0, 255, as a mask does: is it the image?" in caplog.text
    caplog.clear()
    image[0, 199, 198] = 254
    check_contents(image, ["a.png"], "a.png", 2)
    assert not caplog.text
