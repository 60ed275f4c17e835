"""Random views: what is drawn, where values lie, and an exact way back for every draw."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from monai.data import MetaTensor
from monai.utils import set_determinism

from calib_monai.views.affine import warp
from calib_monai.views.augmentation import RandomViews

STILL: dict[str, Any] = {"rotation": 0, "translation": 0, "scale": (1, 1), "shear": 0}
PLAIN: dict[str, Any] = {
    "gamma": (1, 1),
    "intensity_scale": [1, 1],
    "intensity_shift": 0,
    "blur": 0,
    "sharpen": (0, 0),
    "noise": (0, 0),
}


def images(*shape: int) -> torch.Tensor:
    """Images that rise linearly from 0 to 1."""
    y, x = torch.meshgrid(*(torch.linspace(0, 1, size) for size in shape[2:]), indexing="ij")
    return (0.3 * y + 0.7 * x).expand(shape)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def test_a_view_goes_back_exactly_whatever_was_drawn() -> None:
    ramps = images(128, 2, 48, 64)
    view = RandomViews(**PLAIN)(ramps)
    valid = view.valid()
    assert (view.back(view.image) - ramps).abs()[valid.expand_as(ramps)].max() < 1e-4
    assert valid.float().mean() > 0.7


def test_each_part_of_a_map_is_drawn_for_half_of_the_images_on_its_own() -> None:
    matrices = RandomViews().draw_matrices(4000)
    identity = torch.eye(3, dtype=torch.float64)
    unmoved = (matrices == identity).all(dim=(1, 2)).double().mean()
    assert unmoved.item() == pytest.approx(1 / 16, abs=0.02)
    assert (matrices[:, :2, 2] == 0).all(dim=1).double().mean().item() == pytest.approx(0.5, abs=0.03)
    assert matrices[:, :2, 2].abs().amax().item() == pytest.approx(10, abs=0.1)
    turned = RandomViews(**STILL | {"rotation": 20}).draw_matrices(4000)
    angles = torch.atan2(turned[:, 1, 0], turned[:, 0, 0]).rad2deg()
    assert (angles == 0).double().mean().item() == pytest.approx(0.5, abs=0.03)
    low, high = angles.aminmax()
    assert (low.item(), high.item()) == (pytest.approx(-20, abs=0.2), pytest.approx(20, abs=0.2))
    sizes = RandomViews(**STILL | {"scale": (0.75, 1.25)}).draw_matrices(4000).det().sqrt()
    assert (sizes.amin().item(), sizes.amax().item()) == (pytest.approx(0.75, abs=0.01), pytest.approx(1.25, abs=0.01))
    sheared = RandomViews(**STILL | {"shear": 5}).draw_matrices(4000)
    assert sheared[:, 0, 1].abs().amax().item() == pytest.approx(math.tan(math.radians(5)), rel=0.02)


@pytest.mark.parametrize(
    ("part", "low", "high"),
    [
        ({"gamma": (0.5, 2)}, 0.25, math.sqrt(0.5)),
        ({"intensity_scale": (0.9, 1.1), "intensity_shift": 0.1}, 0.35, 0.65),
    ],
)
def test_intensities_are_changed_in_their_range_for_half_of_the_images(
    part: dict[str, Any], low: float, high: float
) -> None:
    gray = torch.full((2000, 1, 6, 6), 0.5)
    made = RandomViews(**STILL | PLAIN | part)(gray).image[:, 0, 0, 0]
    assert (made - 0.5).abs().lt(1e-6).double().mean().item() == pytest.approx(0.5, abs=0.04)
    assert low - 1e-6 <= made.min() < low + 0.03
    assert high - 0.03 < made.max() <= high + 1e-6


@pytest.mark.parametrize("part", [{"blur": 4}, {"sharpen": (0.1, 0.3), "blur": 0}, {"noise": (0.01, 0.1)}])
def test_blur_sharpening_and_noise_come_to_half_of_the_images_or_fewer(part: dict[str, Any]) -> None:
    squares = (images(600, 1, 12, 12) * 7).floor() / 8
    changed = (RandomViews(**STILL | PLAIN | part)(squares).image - squares).abs().amax(dim=(1, 2, 3)) > 1e-5
    expected = 0.4 if part.get("blur") else 0.5  # one radius of five is 0
    assert changed.double().mean().item() == pytest.approx(expected, abs=0.07)


def test_with_probability_0_nothing_changes_and_with_1_all_does() -> None:
    ramps = images(8, 1, 24, 32)
    torch.testing.assert_close(RandomViews(0.0)(ramps).image, ramps, rtol=0, atol=1e-5)
    view = RandomViews(1.0)(ramps)
    assert (view.image - ramps).abs().amax(dim=(1, 2, 3)).min() > 0.01
    assert (view.matrices - torch.eye(3)).abs().amax(dim=(1, 2)).min() > 0.01


def test_views_follow_from_the_seed_and_from_the_state_of_the_generator() -> None:
    ramps = images(6, 1, 24, 32)
    set_determinism(seed=3)
    first, state, second = RandomViews()(ramps), torch.get_rng_state(), RandomViews()(ramps)
    set_determinism(seed=3)
    again = RandomViews()(ramps)
    set_determinism(seed=None)
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.matrices, again.matrices)
    assert not torch.equal(first.matrices, second.matrices)
    torch.set_rng_state(state)
    assert torch.equal(RandomViews()(ramps).image, second.image)


def test_each_view_has_noise_of_its_own() -> None:
    ramps, noisy = images(1, 1, 24, 32), RandomViews(1.0, **STILL | PLAIN | {"noise": (0.1, 0.1)})
    assert not torch.equal(noisy(ramps).image, noisy(ramps).image)


def test_what_is_drawn_does_not_depend_on_the_values_or_the_size() -> None:
    views = []
    for ramps in (images(6, 1, 24, 32), 7 * images(6, 2, 20, 20)):
        torch.manual_seed(1)
        views.append([RandomViews(noise=(0, 0))(ramps).matrices for _ in range(2)])
    assert torch.equal(views[0][0], views[1][0])
    assert torch.equal(views[0][1], views[1][1])


@pytest.mark.parametrize(("factor", "offset"), [(100.0, 0.0), (8.0, -3.0)])
def test_values_outside_0_to_1_are_a_range_of_their_own(factor: float, offset: float) -> None:
    ramps = images(16, 1, 24, 32)
    torch.manual_seed(1)
    expected = RandomViews()(ramps)
    torch.manual_seed(1)
    view = RandomViews()(factor * ramps + offset)
    torch.testing.assert_close(view.image, factor * expected.image + offset, rtol=0, atol=1e-3)
    outside = warp(torch.ones_like(ramps), view.matrices) == 0
    assert outside.any()
    assert (RandomViews(**PLAIN)(ramps + 5).image >= 0).all()


@pytest.mark.parametrize("level", [0.0, 0.5, -2.0, 1000.0])
def test_a_constant_image_has_finite_views(level: float) -> None:
    view = RandomViews(1.0)(torch.full((8, 2, 24, 32), level))
    assert torch.isfinite(view.image).all()


def test_half_precision_and_metadata_change_little() -> None:
    ramps = images(6, 1, 24, 32)
    views = []
    for values in (ramps, ramps.half(), MetaTensor(ramps)):
        torch.manual_seed(1)
        views.append(RandomViews()(values))
    assert [view.image.dtype for view in views] == [torch.float32, torch.float16, torch.float32]
    torch.testing.assert_close(views[1].image.float(), views[0].image, rtol=0, atol=5e-3)
    assert type(views[2].image) is torch.Tensor
    assert torch.equal(views[2].image, views[0].image)
    assert torch.equal(views[1].valid(), views[0].valid())
    assert views[1].back(ramps.half()).dtype == torch.float32


def test_labels_move_with_their_image() -> None:
    label = (images(32, 1, 40, 40) * 4).floor().to(torch.uint8)
    view = RandomViews(**PLAIN)(label.float() / 4)
    moved = view.labels(label)
    assert moved.dtype == torch.uint8
    inside = (warp(torch.ones(32, 1, 40, 40), view.matrices) == 1) & (moved > 0)
    assert (4 * view.image - moved)[inside].abs().max() <= 1 + 1e-4
    assert (moved[warp(torch.ones(32, 1, 40, 40), view.matrices) == 0] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"probability": 1.5}, r"probability is 1\.5"),
        ({"rotation": -1}, "rotation is -1"),
        ({"shear": 60}, "shear is 60"),
        ({"scale": (0, 1)}, r"scale is \(0, 1\)"),
        ({"scale": [0.9, "a", 1.1]}, r"scale is \[0.9, 'a', 1.1\]"),
        ({"gamma": (2, 0.5)}, r"gamma is \(2, 0\.5\)"),
        ({"noise": 0.1}, r"noise is 0\.1"),
        ({"sharpen": [0.1, 0.2, 0.3]}, r"sharpen is \[0\.1, 0\.2, 0\.3\]"),
        ({"blur": float("inf")}, "blur is inf"),
        ({"blur": 2.7}, "blur is 2.7; it must be a whole number"),
    ],
)
def test_a_range_without_meaning_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RandomViews(**arguments)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (torch.zeros(2, 1, 8), r"\(2, 1, 8\)"),
        (torch.zeros(2, 1, 4, 8), r"\(2, 1, 4, 8\)"),
        (torch.zeros(2, 1, 8, 8, dtype=torch.int64), "int64"),
    ],
)
def test_what_is_no_batch_of_images_is_refused(wrong: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RandomViews()(wrong)


def test_logits_of_another_size_do_not_go_back() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3, 12, 16\)"):
        RandomViews()(images(2, 1, 24, 32)).back(torch.zeros(2, 3, 12, 16))
