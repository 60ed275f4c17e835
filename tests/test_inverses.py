"""Inverses: class by class they give what MONAI's give at once, and a crop leaves background."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import (
    Compose,
    EnsureTyped,
    Invertd,
    Orientationd,
    ResizeWithPadOrCropd,
    Spacingd,
)

import calib_monai.inverses
from calib_monai.inverses import InvertProbsd, SlabSpacingd

SPACING = {"keys": "image", "pixdim": [2.0, 1.5, 3.0], "mode": "bilinear"}


def scan(shape: tuple[int, ...] = (1, 20, 17, 11)) -> MetaTensor:
    """A scan that lies obliquely, with an axis turned around."""
    affine = torch.diag(torch.tensor([-0.8, 0.9, 1.1, 1.0], dtype=torch.float64))
    affine[0, 1], affine[:3, 3] = 0.2, torch.tensor([30.0, -20.0, 5.0])
    return MetaTensor(torch.rand(shape, generator=torch.Generator().manual_seed(0)), affine=affine)


def test_outside_a_crop_the_background_is_certain() -> None:
    crop = Compose([EnsureTyped("image", track_meta=True), ResizeWithPadOrCropd("image", [4, 6, -1])])
    data = crop({"image": torch.rand(1, 8, 5, 3)})
    data["prob"] = MetaTensor(torch.rand(3, 4, 6, 3).softmax(dim=0))
    before = data["prob"].clone()
    probs = InvertProbsd("prob", crop, "image")(data)["prob"]
    assert probs.shape == (3, 8, 5, 3)
    torch.testing.assert_close(probs.sum(dim=0).as_tensor(), torch.ones(8, 5, 3))
    assert (probs[0, :2] == 1).all()
    torch.testing.assert_close(probs[:, 2:6].as_tensor(), data["prob"][:, :, :5].as_tensor())
    assert torch.equal(data["prob"].as_tensor(), before.as_tensor())
    assert data["prob"].applied_operations == []


def test_probabilities_return_as_with_monais_inverse() -> None:
    steps = [Orientationd("image", "RAS", labels=None), ResizeWithPadOrCropd("image", [24, 18, -1])]
    ours, monais = (Compose([steps[0], spacing(**SPACING), steps[1]]) for spacing in (SlabSpacingd, Spacingd))
    given, given_to_monai = (prepared({"image": scan()}) for prepared in (ours, monais))
    given["prob"], given_to_monai["prob"] = logits(given["image"]), logits(given_to_monai["image"])
    probs = InvertProbsd("prob", ours, "image")(given)["prob"]
    expected = Invertd("prob", monais, "image", nearest_interp=False)(given_to_monai)["prob"]
    inside = expected.sum(dim=0) > 1 - 1e-5
    assert inside.float().mean() > 0.5
    torch.testing.assert_close(probs[:, inside].as_tensor(), expected[:, inside].as_tensor(), rtol=0, atol=1e-6)
    torch.testing.assert_close(probs.affine, scan().affine)
    assert probs.shape == (3, *scan().shape[1:])
    assert probs.applied_operations == []


def logits(image: MetaTensor) -> MetaTensor:
    """Probabilities of three classes on the grid of an image."""
    drawn = torch.rand(3, *image.shape[1:], generator=torch.Generator().manual_seed(1))
    return MetaTensor((3 * drawn).softmax(dim=0))


def test_a_spacing_of_many_voxels_goes_there_and_back_by_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    spacing, monais = SlabSpacingd(**SPACING), Spacingd(**SPACING)
    expected = monais({"image": scan()})
    monkeypatch.setattr(calib_monai.inverses.by_slabs, "__defaults__", (1,))
    moved = spacing({"image": scan()})
    torch.testing.assert_close(moved["image"].as_tensor(), expected["image"].as_tensor(), rtol=0, atol=1e-6)
    torch.testing.assert_close(moved["image"].affine, expected["image"].affine)
    back, known = spacing.inverse(moved)["image"], monais.inverse(expected)["image"]
    torch.testing.assert_close(back.as_tensor(), known.as_tensor(), rtol=0, atol=1e-6)
    torch.testing.assert_close(back.affine, scan().affine)


def with_label() -> dict[str, MetaTensor]:
    """A scan, and a label of it with the classes 0 and 7."""
    return {"image": scan(), "label": MetaTensor((scan() > 0.5).float().as_tensor() * 7, affine=scan().affine)}


@pytest.mark.parametrize("keys", [(), (["image", "label"],), (("label", "image"),), (["label"],), ("label",)])
def test_a_label_keeps_its_classes_however_its_keys_are_written(keys: tuple[Any, ...]) -> None:
    moved = SlabSpacingd(*keys, pixdim=SPACING["pixdim"])(with_label())
    assert moved["label"].unique().tolist() == [0, 7]
    assert moved["label"].shape != scan().shape
    if not keys or "image" in keys[0]:
        expected = SlabSpacingd(**SPACING)({"image": scan()})["image"]
        torch.testing.assert_close(moved["image"].as_tensor(), expected.as_tensor())


@pytest.mark.parametrize("mode", ["bilinear", 3, "nearest", ["bilinear", "nearest"]])
def test_one_mode_for_all_is_not_that_of_the_label(mode: Any) -> None:
    moved = SlabSpacingd(pixdim=SPACING["pixdim"], mode=mode)(with_label())
    assert moved["label"].unique().tolist() == [0, 7]


@pytest.mark.parametrize(
    ("keys", "mode"),
    [
        ("label", "bilinear"),
        (["image", "label"], ["bilinear", "bilinear"]),
        (["label"], 3),
        (["label", "image"], [1, 0]),
    ],
)
def test_a_mode_that_mixes_the_classes_of_a_label_is_refused(keys: Any, mode: Any) -> None:
    with pytest.raises(ValueError, match=r'^mode of "label" is \w+; it must be nearest'):
        SlabSpacingd(keys, pixdim=SPACING["pixdim"], mode=mode)


def test_a_label_that_is_not_there_is_passed_over() -> None:
    assert SlabSpacingd(["image", "label"], pixdim=SPACING["pixdim"])({"image": scan()}).keys() == {"image"}
