"""Transforms: what is cropped off is background."""

from __future__ import annotations

import torch
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureTyped, Invertd, ResizeWithPadOrCropd

from calib_monai.transforms import FillBackgroundd


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
