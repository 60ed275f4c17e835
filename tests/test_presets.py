"""Presets: each gives what MONAI's transform gives with all of its arguments, and is told in a model.json as that."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import (
    Compose,
    CropForegroundd,
    Resized,
    ScaleIntensityRanged,
    ScaleIntensityRangePercentilesd,
    SpatialPadd,
)

from calib_monai import presets
from calib_monai.descriptions import described_transforms

SIZE = (12, 10)


def case(*spatial: int) -> dict[str, Any]:
    """An image of two channels with an empty edge, and a label of the values 0 to 4."""
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, *spatial, generator=generator)
    image[:, :3] = 0
    return {
        "image": MetaTensor(image),
        "label": MetaTensor(torch.randint(5, (1, *spatial), generator=generator).float()),
        "case": "a",
    }


@pytest.mark.parametrize(("size", "padded"), [([16, 14], (16, 14, 3)), ([16, 14, 4], (16, 14, 4))])
def test_volumes_are_padded_to_slices_or_to_patches(size: list[int], padded: tuple[int, int, int]) -> None:
    here, there = presets.pad_to(size)(case(15, 9, 3)), SpatialPadd(["image", "label"], padded)(case(15, 9, 3))
    for key in ("image", "label"):
        assert here[key].shape[1:] == padded
        assert torch.equal(here[key], there[key])


def moved(rotation: float = 0.0, scale: float = 0.0, shift: float = 0.0, spacing: tuple[float, ...] = (1, 1, 1)) -> Any:
    """An image with a ball off its center, and the label of the ball, after these changes alone."""
    axes = torch.meshgrid(*[torch.arange(24.0)] * 3, indexing="ij")
    ball = sum(((axis - place) ** 2 for axis, place in zip(axes, (6, 11, 15), strict=True)), torch.zeros(())) < 16
    data = {"image": ball[None].float(), "label": ball[None].float()}
    changes = presets.patch_changes([24] * 3, spacing, rotation, scale, shift, gamma=(1, 1), noise=0)
    return changes.set_random_state(seed=1)(data)


def center(label: torch.Tensor) -> torch.Tensor:
    """The mean place of a structure along each axis."""
    return torch.nonzero(label[0]).float().mean(dim=0)


def test_image_and_label_of_a_patch_change_alike() -> None:
    changed = moved(rotation=15, scale=0.15, shift=0.08)
    both = (changed["image"] > 0.5) & (changed["label"] > 0)
    assert both.sum() > 0.9 * changed["label"].sum() > 100
    assert (center(changed["label"]) - center(moved()["label"])).abs().max() > 0.5


@pytest.mark.parametrize(
    ("spacing", "still"), [((1, 1, 1), False), ((0.6, 0.6, 3.6), True), ((1.62, 1.62, 3.22), False)]
)
def test_patches_of_thick_slices_turn_in_the_slices_alone(spacing: tuple[float, ...], *, still: bool) -> None:
    away = (center(moved(rotation=40, spacing=spacing)["label"]) - center(moved()["label"])).abs()
    assert away[:2].max() > 0.5
    assert (float(away[2]) < 0.05) == still


def test_a_patch_moves_by_a_share_of_its_size() -> None:
    seen = [presets.patch_changes([100, 50, 10], [1, 1, 1], shift=share).transforms[0] for share in (0.08, 0.2)]
    ranges = [one.rand_affine.rand_affine_grid.translate_range for one in seen]
    assert ranges == [pytest.approx((8, 4, 0.8)), pytest.approx((20, 10, 2))]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"patch_size": [16, 16]}, r"patch_size is \[16, 16\] and spacing \[1, 1, 1\]; both must have three sizes"),
        ({"rotation": -1}, "rotation is -1"),
        ({"scale": 1}, "scale is 1"),
        ({"shift": 4}, "shift is 4; it must be a finite number"),
        ({"gamma": 2}, "gamma is 2; it must be two numbers"),
        ({"noise": math.nan}, "noise is nan"),
    ],
)
def test_changes_without_a_meaning_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        presets.patch_changes(**{"patch_size": [16, 16, 8], "spacing": [1, 1, 1]} | given)


@pytest.mark.parametrize(
    ("preset", "written_out"),
    [
        (presets.window([0.2, 0.7]), ScaleIntensityRanged("image", 0.2, 0.7, 0, 1, clip=True)),
        (presets.percentiles(2, 98), ScaleIntensityRangePercentilesd("image", 2, 98, 0, 1, clip=True)),
        (presets.crop_to_foreground(1), CropForegroundd(["image", "label"], source_key="image", margin=1)),
        (
            presets.resize(SIZE),
            Compose([Resized("image", SIZE, mode="bilinear"), Resized("label", SIZE, mode="nearest")]),
        ),
    ],
    ids=["window", "percentiles", "crop", "resize"],
)
def test_a_preset_is_monais_transform_with_its_arguments(
    preset: Callable[..., Any], written_out: Callable[..., Any]
) -> None:
    here, there = preset(case(16, 14)), written_out(case(16, 14))
    assert here.keys() == there.keys()
    for key in ("image", "label"):
        assert torch.equal(here[key], there[key])
    assert described_transforms(Compose([preset])) == described_transforms(Compose([written_out]))


def test_values_of_a_label_are_changed_all_at_once_and_a_missing_one_is_passed_over() -> None:
    relabeling = presets.relabel([1, 2, 4], [2, 3, 1])
    label = relabeling(case(6, 6, 2))["label"]
    given = case(6, 6, 2)["label"]
    assert torch.equal(label, torch.tensor([0.0, 2, 3, 3, 1])[given.long()])
    assert relabeling({"image": 1}) == {"image": 1}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: presets.window([240, -160]), r"^window is \[240, -160\]; it must be two numbers, the lower first"),
        (lambda: presets.window([0, 0]), "^window"),
        (lambda: presets.window([-160, 0, 240]), "^window"),
        (lambda: presets.window([0, math.nan]), "^window"),
        (lambda: presets.window(["0", 1]), "^window"),  # type: ignore[list-item] # which is refused
        (lambda: presets.percentiles(98, 2), "^the range of percentiles is .* from 0 to 100, the lower first"),
        (lambda: presets.percentiles(2, 980), "^the range"),
        (lambda: presets.channel(-1), "^index is -1"),
        (lambda: presets.resize((16, 16), "scan"), "^a key of resize is 'scan'; it must be one of image, label"),
    ],
)
def test_arguments_that_would_make_another_image_are_refused(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_one_channel_is_kept() -> None:
    whole = case(6, 6, 2)
    kept = presets.channel(1)(whole)
    assert torch.equal(kept["image"], whole["image"][1:])
    assert torch.equal(kept["label"], whole["label"])


def test_crops_and_sizes_pass_over_a_missing_label_and_go_back() -> None:
    image = case(16, 14)["image"]
    for preset in (presets.crop_to_foreground(1), presets.resize(SIZE)):
        changed = preset({"image": image})
        assert changed["image"].shape != image.shape
        assert preset.inverse(changed)["image"].shape == image.shape
    alone = presets.resize(SIZE, "image")
    assert isinstance(alone, Resized)  # one transform in the flat list of an inference
    assert torch.equal(alone({"image": image})["image"], presets.resize(SIZE)({"image": image})["image"])
