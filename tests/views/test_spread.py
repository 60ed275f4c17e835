"""Spread: nothing where the views are the image itself, and the deviation that the views have where they differ."""

from __future__ import annotations

import pytest
import torch
from monai.inferers import SliceInferer, SlidingWindowInferer

from calib_monai.views import RandomViews, spread_over_views

STILL = {"rotation": 0, "translation": 0, "scale": (1, 1), "shear": 0, "blur": 0, "sharpen": (0, 0), "noise": (0, 0)}


def network(slices: torch.Tensor) -> torch.Tensor:
    """The second class is the more probable the brighter."""
    return torch.cat([torch.zeros_like(slices), 8 * slices - 4], dim=1)


def of_all(image: torch.Tensor, of_slices: object) -> torch.Tensor:
    return SliceInferer(roi_size=image.shape[2:4], sw_batch_size=2, spatial_dim=2)(image, of_slices)


def test_views_that_change_nothing_have_no_spread() -> None:
    image = torch.rand(1, 1, 16, 24, 3)
    found = spread_over_views(image, of_all(image, network), of_all, network, RandomViews(probability=0), 4)
    assert found.shape == image.shape
    assert torch.equal(found, torch.zeros_like(found))


def test_the_spread_is_the_deviation_over_the_views() -> None:
    image = torch.rand(2, 1, 16, 24)
    brighter = RandomViews(probability=1, gamma=(1, 1), intensity_scale=(1, 1), intensity_shift=0.1, **STILL)
    torch.manual_seed(0)
    found = spread_over_views(image, network(image), lambda image, of_slices: of_slices(image), network, brighter, 5)
    torch.manual_seed(0)
    seen = torch.stack([network(brighter(image).image).softmax(dim=1) for _ in range(5)])
    predicted = network(image).argmax(dim=1, keepdim=True).expand(5, -1, -1, -1, -1)
    expected = seen.double().gather(2, predicted).std(dim=0, correction=0)
    torch.testing.assert_close(found.double(), expected, atol=2e-4, rtol=0)
    assert found.max() > 0.01


def test_the_spread_of_a_volume_is_the_deviation_over_the_views_of_its_windows() -> None:
    windows = SlidingWindowInferer((16, 16, 8), sw_batch_size=2, overlap=0.25, mode="gaussian")
    brighter = RandomViews(probability=1, gamma=(1, 1), intensity_scale=(1, 1), intensity_shift=0.1, **STILL)
    image = torch.rand(1, 1, 16, 16, 8, generator=torch.Generator().manual_seed(0))  # a single window
    torch.manual_seed(0)
    found = spread_over_views(image, network(image), windows, network, brighter, 5)
    torch.manual_seed(0)
    seen = torch.stack([network(brighter(image).image).softmax(dim=1) for _ in range(5)])
    predicted = network(image).argmax(dim=1, keepdim=True).expand(5, -1, -1, -1, -1, -1)
    expected = seen.double().gather(2, predicted).std(dim=0, correction=0)
    torch.testing.assert_close(found.double(), expected, atol=2e-4, rtol=0)
    assert found.max() > 0.01


def test_views_that_change_nothing_have_no_spread_in_overlapping_windows_of_a_volume() -> None:
    windows = SlidingWindowInferer((16, 16, 8), sw_batch_size=2, overlap=0.25, mode="gaussian")
    image = torch.rand(1, 1, 24, 20, 12)

    def network(parts: torch.Tensor) -> torch.Tensor:
        """Depends on where a voxel lies in its window, so that windows disagree."""
        return torch.cat([torch.zeros_like(parts), parts + torch.linspace(-4, 4, parts.shape[2]).view(-1, 1, 1)], dim=1)

    logits = windows(image, network)
    moved = spread_over_views(image, logits, windows, network, RandomViews(probability=1), 4)
    still = spread_over_views(image, logits, windows, network, RandomViews(probability=0), 4)
    assert still.shape == moved.shape == image.shape
    assert not still.any()
    assert moved.max() > 0.05


def test_where_windows_overlap_the_spread_is_not_less() -> None:
    """The middle of three windows' width is seen by two of them, each in views of its own."""
    image = torch.full((1, 1, 32, 48, 1), 0.5)
    brighter = RandomViews(probability=1, gamma=(1, 1), intensity_scale=(1, 1), intensity_shift=0.2, **STILL)
    windows = SliceInferer(roi_size=(32, 32), sw_batch_size=1, spatial_dim=2, overlap=0.5)
    torch.manual_seed(0)
    found = spread_over_views(image, windows(image, network), windows, network, brighter, 200)
    assert found.min() > 0.8 * found.max() > 0


def test_what_left_the_image_in_all_views_but_one_has_none() -> None:
    image = torch.rand(1, 1, 16, 16)
    away = RandomViews(probability=1, gamma=(1, 1), intensity_scale=(1, 1), intensity_shift=0.2, **STILL)
    away.draw_matrices = lambda count: torch.eye(3, dtype=torch.float64).repeat(count, 1, 1)  # type: ignore[method-assign]
    shifted = torch.eye(3, dtype=torch.float64)
    shifted[0, 2] = 100.0
    maps = iter([torch.eye(3, dtype=torch.float64), shifted, shifted])
    away.draw_matrices = lambda count: next(maps).repeat(count, 1, 1)  # type: ignore[method-assign]
    found = spread_over_views(image, network(image), lambda image, of_slices: of_slices(image), network, away, 3)
    assert torch.equal(found, torch.zeros_like(found))


def test_one_view_is_refused() -> None:
    image = torch.rand(1, 1, 16, 16)
    with pytest.raises(ValueError, match="num_views is 1"):
        spread_over_views(image, network(image), of_all, network, RandomViews(), 1)
