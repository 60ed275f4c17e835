"""Images in memory: other programs hand them over with an affine, and a loader takes them as they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from calib_monai.loading import LoadCased
from calib_monai.pictures import LoadPicturesd

VALUES = torch.arange(2 * 4 * 3 * 2, dtype=torch.float64).reshape(2, 4, 3, 2)  # (C, H, W, D)
AFFINE = torch.diag(torch.tensor([0.5, 1, 2, 1], dtype=torch.float64))


@pytest.mark.parametrize(
    ("given", "meta", "expected"),
    [
        (VALUES[0], {}, VALUES[:1]),
        (VALUES[0], {"original_channel_dim": "no_channel"}, VALUES[:1]),
        (VALUES[0], {"original_channel_dim": math.nan}, VALUES[:1]),
        (VALUES, {}, VALUES),
        (VALUES.movedim(0, -1), {"original_channel_dim": -1}, VALUES),
        (VALUES.movedim(0, -1), {"original_channel_dim": -1, "spatial_shape": np.array([4, 3, 2])}, VALUES),
        (VALUES, {"original_channel_dim": -1, "spatial_shape": np.array([4, 3, 2])}, VALUES),  # it has come first since
    ],
)
def test_an_image_gets_its_channel_first_and_keeps_its_affine(
    given: torch.Tensor, meta: dict[str, Any], expected: torch.Tensor
) -> None:
    before = given.clone()
    loaded = LoadCased("image")({"image": MetaTensor(given, affine=AFFINE, meta=meta), "case": "a"})
    image = loaded["image"]
    assert loaded["case"] == "a"
    assert torch.equal(image.as_tensor(), expected.float())
    assert torch.equal(image.affine, AFFINE)
    image += 1
    assert torch.equal(given, before)  # it is a copy


def test_an_affine_of_1_mm_is_one_and_told_where_no_meta_data_say_so(caplog: pytest.LogCaptureFixture) -> None:
    """A new MetaTensor has it, too: whoever forgets the affine must see what is made of that."""
    image = MetaTensor(VALUES[0], meta={"original_affine": np.eye(4)})
    assert LoadCased("image")({"image": image})["image"].shape == (1, 4, 3, 2)
    assert not caplog.messages
    loaded = LoadCased("image")({"image": MetaTensor(VALUES[0], affine=torch.eye(4))})["image"]
    assert torch.equal(loaded.affine, torch.eye(4, dtype=torch.float64))
    [told] = caplog.messages
    assert told.startswith("image is in memory with the affine of a new MetaTensor: its voxels are taken to be 1 mm")


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (VALUES.numpy(), "^image is in memory and has no affine, so nothing says how large a voxel is"),
        (VALUES, "^image is in memory and has no affine"),
        (MetaTensor(VALUES[0].to(torch.complex64), affine=AFFINE), "^image is in memory with complex numbers"),
        (
            MetaTensor(VALUES, affine=AFFINE, meta={"original_channel_dim": -1, "spatial_shape": [8, 3, 2]}),
            r"^image is in memory with the shape \(2, 4, 3, 2\), .* channels on axis -1: nothing says",
        ),
        (MetaTensor(VALUES[0, 0], affine=AFFINE), r"^image is in memory with the shape \(3, 2\); it must have 3 axes"),
        (MetaTensor(VALUES, affine=AFFINE * 0), "^image has an affine with voxels of 0 x 0 x 0 mm"),
    ],
)
def test_an_image_without_a_place_is_refused(image: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LoadCased("image")({"image": image})


def test_a_picture_is_refused_because_its_axes_are_not_known() -> None:
    with pytest.raises(ValueError, match=r"^image is in memory, where nothing says which axis is its width: give its"):
        LoadPicturesd("image", 3)({"image": np.zeros((8, 6, 3))})
