"""Transforms: what is cropped off is background, classes unite, a bias field goes, files are called by their case."""

from __future__ import annotations

import torch
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureTyped, Invertd, ResizeWithPadOrCropd

from calib_monai.transforms import CorrectBiasd, FillBackgroundd, NameByCased, UniteClassesd


def test_outside_a_crop_the_background_is_certain() -> None:
    crop = Compose([EnsureTyped("image", track_meta=True), ResizeWithPadOrCropd("image", [4, 6, -1])])
    data = crop({"image": torch.rand(1, 8, 5, 3)})
    data["pred"] = MetaTensor(torch.rand(3, 4, 6, 3).softmax(dim=0))
    inverted = Invertd("pred", crop, orig_keys="image", nearest_interp=False)(data)
    filled = FillBackgroundd("pred")(inverted)["pred"]
    assert filled.shape == (3, 8, 5, 3)
    torch.testing.assert_close(filled.sum(dim=0).as_tensor(), torch.ones(8, 5, 3))
    assert (filled[0, :2] == 1).all()
    torch.testing.assert_close(filled[:, 2:6].as_tensor(), inverted["pred"][:, 2:6].as_tensor())


def test_classes_unite_to_structures_that_overlap() -> None:
    labels = torch.tensor([[0, 1, 2, 3]])
    one_hot = torch.nn.functional.one_hot(labels, 4).movedim(-1, 0).float()
    united = UniteClassesd(["a"], ["b"], [[3], [1, 3], [1, 2, 3]])({"a": one_hot})["b"]
    assert united.tolist() == [[[0, 0, 0, 1]], [[0, 1, 0, 1]], [[0, 1, 1, 1]]]


def test_a_bias_field_is_removed() -> None:
    x = torch.linspace(-1, 1, 64).view(1, -1, 1, 1).expand(1, 64, 64, 8)
    inside = (x**2 + x.transpose(1, 2) ** 2) < 0.8
    image = torch.where(inside, 100.0, 5.0) * torch.exp(0.5 * x)
    corrected = CorrectBiasd("image", shrink=4)({"image": MetaTensor(image)})["image"]
    spread = [values.std() / values.mean() for values in (image[inside], corrected.as_tensor()[inside])]
    assert spread[0] > 0.2
    assert spread[1] < 0.2 * spread[0]


def test_what_is_saved_is_called_by_its_case() -> None:
    image = MetaTensor(torch.zeros(1, 2, 2), meta={"filename_or_obj": "/data/7/imaging.nii.gz"})
    assert (
        NameByCased("image")({"image": image, "case": "seven.1"})["image"].meta["filename_or_obj"] == "seven.1.nii.gz"
    )
