"""Orientation: every storage order becomes one, and returns; which one a training takes; what is refused."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, Orientation

from calib_monai.orientation import (
    AXES,
    Geometry,
    Reorientd,
    check_axcodes,
    codes_for,
    geometry_of,
    training_axcodes,
)


def scan(codes: str = "RAS", spacing: tuple[float, ...] = (1.0, 2.0, 5.0)) -> MetaTensor:
    """A scan of 6 x 5 x 4 voxels, all different, stored in an order."""
    affine = torch.diag(torch.tensor([*spacing, 1.0], dtype=torch.float64))
    affine[:3, 3] = torch.tensor([-30.0, 20.0, 5.0])
    return Orientation(codes, labels=AXES)(MetaTensor(torch.arange(120.0).reshape(1, 6, 5, 4), affine=affine))


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR", "ASL", "SRA"])
def test_every_storage_order_becomes_one_and_returns_to_its_own(codes: str) -> None:
    stored, turn = scan(codes), Reorientd("RAS", ["image", "label"])
    data = turn({"image": stored, "label": stored.clone()})
    for turned in data.values():
        torch.testing.assert_close(turned.as_tensor(), scan().as_tensor())
        torch.testing.assert_close(turned.affine, scan().affine)
    back = turn.inverse(data)["image"]
    torch.testing.assert_close(back.as_tensor(), stored.as_tensor())
    torch.testing.assert_close(back.affine, stored.affine)


def test_predictions_return_by_monais_inverse() -> None:
    turn = Compose([Reorientd("RAS", "image")])
    data = turn({"image": scan("PIR")})
    data["pred"] = MetaTensor(data["image"].as_tensor() > 60)
    pred = Invertd("pred", turn, "image", nearest_interp=True)(data)["pred"]
    torch.testing.assert_close(pred.as_tensor(), scan("PIR").as_tensor() > 60)


def test_a_label_is_turned_as_its_image_whatever_its_own_header_says() -> None:
    data = Reorientd("RAS", ["image", "label"])({"image": scan("LPS"), "label": MetaTensor(scan("LPS").as_tensor())})
    torch.testing.assert_close(data["label"].as_tensor(), data["image"].as_tensor())
    torch.testing.assert_close(data["label"].affine, data["image"].affine)


def test_pictures_stay_as_they_are() -> None:
    picture = MetaTensor(torch.rand(3, 8, 6))
    turn = Reorientd("RAS", "image")
    assert torch.equal(turn({"image": picture})["image"], picture)
    assert torch.equal(turn.inverse({"image": picture})["image"], picture)
    assert geometry_of(picture) == Geometry((8, 6), (1.0, 1.0), "")
    assert training_axcodes("auto", {"a": geometry_of(picture)}) == "stored"


def test_a_sheared_oblique_volume_is_turned_by_its_closest_axes() -> None:
    affine = np.array([[0.9, -0.3, 0.2, 0], [0.3, 0.9, 0.1, 0], [0.0, 0.2, 4.0, 0], [0, 0, 0, 1]])
    stored = Orientation("LIP", labels=AXES)(MetaTensor(torch.rand(1, 6, 5, 4), affine=affine))
    turned = Reorientd("RAS", "image")({"image": stored})["image"]
    torch.testing.assert_close(turned.affine.numpy(), affine)


def test_stored_moves_the_thickest_axis_to_the_end() -> None:
    turned = Reorientd("stored", "image")({"image": scan("SPL")})["image"]
    assert geometry_of(turned) == Geometry((5, 6, 4), (2.0, 1.0, 5.0), "PLS")
    assert codes_for(geometry_of(scan("SPL", (1.0, 1.0, 1.02))), "stored") == "SPL"


def test_a_training_of_ones_own_takes_the_most_frequent_codes_with_the_thickest_axis_last(
    caplog: pytest.LogCaptureFixture,
) -> None:
    thick_second = {str(index): geometry_of(scan("RSA", (1.0, 1.0, 5.0))) for index in range(9)}
    with caplog.at_level(logging.WARNING):
        assert training_axcodes("auto", thick_second | {"x": geometry_of(scan("LPS", (1.0, 1.0, 5.0)))}) == "RAS"
    assert "axcodes auto became RAS, which images are reoriented to; stored are 9 RSA, 1 LPS" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert training_axcodes("auto", {"a": geometry_of(scan("RAS"))}) == "RAS"
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("INFO", "axcodes auto became RAS, which images are reoriented to; stored are 1 RAS")
    ]
    assert training_axcodes("auto", {"a": geometry_of(scan("PSR", (1.0, 1.0, 1.0)))}) == "PSR"
    assert "across" not in caplog.text


def test_stacks_that_are_thick_along_different_axes_are_sliced_each_along_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stacks = {
        str(index): geometry_of(scan("RAS", spacing))
        for index, spacing in enumerate([(1.0, 1.0, 8.0), (8.0, 1.0, 1.0), (1.0, 8.0, 1.0)])
    }
    assert training_axcodes("auto", stacks) == "stored"
    assert not caplog.records or "became stored" in caplog.text
    assert training_axcodes("RAS", stacks) == "RAS"
    assert "2 of 3 training images, first 1, have their thickest axis elsewhere than axcodes RAS" in caplog.text


@pytest.mark.parametrize("axcodes", ["RA", "RAR", "RAX", "ras", "best", 3, None])
def test_codes_that_are_none_are_refused(axcodes: object) -> None:
    with pytest.raises(ValueError, match=r"axcodes is .*; it must be three letters, one each of R or L"):
        check_axcodes(axcodes)  # type: ignore[arg-type]


def test_an_affine_of_zeros_is_refused() -> None:
    flat = MetaTensor(torch.rand(1, 4, 4, 4), affine=torch.diag(torch.tensor([1.0, 1.0, 0.0, 1.0])))
    with pytest.raises(ValueError, match="does not place its voxels in space"):
        geometry_of(flat)
