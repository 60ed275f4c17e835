"""Regions: what their names say."""

from __future__ import annotations

import pytest
import torch

from calib_monai.regions import REGIONS, mixed_neighborhood, region_mask, region_voxels

TARGET = torch.tensor([[[[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]]])
PREDICTED = torch.tensor([[[[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]]])
PROBS = torch.nn.functional.one_hot(PREDICTED[:, 0], 2).movedim(-1, 1).float()


def test_regions_are_what_their_names_say() -> None:
    assert torch.equal(region_mask("foreground", TARGET, PROBS), TARGET == 1)
    assert torch.equal(region_mask("union", TARGET, PROBS), (TARGET == 1) | (PREDICTED == 1))
    assert region_mask("all", TARGET, PROBS).all()
    assert torch.equal(region_mask("boundary", TARGET, PROBS), mixed_neighborhood(TARGET))


@pytest.mark.parametrize("region", REGIONS)
def test_the_voxels_of_a_region_are_those_of_its_mask_image_by_image(region: str) -> None:
    generator = torch.Generator().manual_seed(0)
    probs = torch.rand(2, 3, 5, 6, generator=generator)
    target = torch.randint(3, (2, 1, 5, 6), generator=generator) * (torch.arange(6) > 2)
    masks = region_mask(region, target, probs)
    for (chosen, labels), image, target_of, mask in zip(
        region_voxels(region, target, probs), probs, target, masks, strict=True
    ):
        assert torch.equal(chosen, image[:, mask[0]])
        assert torch.equal(labels, target_of[mask])


def test_a_neighborhood_is_mixed_where_it_holds_two_classes() -> None:
    expected = torch.tensor([[[[0, 1, 1, 1], [0, 1, 1, 1], [0, 1, 1, 0]]]], dtype=torch.bool)
    assert torch.equal(mixed_neighborhood(TARGET), expected)


def test_three_threes_among_zeros_are_mixed() -> None:
    # The authors' test adds up differences that cancel: a patch whose sum is a multiple of 9 passes for uniform.
    target = torch.zeros(1, 1, 3, 3, dtype=torch.int64)
    target[0, 0, 0] = 3
    assert mixed_neighborhood(target)[0, 0, 1, 1]


def test_depth_counts_in_a_volume() -> None:
    target = torch.zeros(1, 1, 3, 3, 5, dtype=torch.int64)
    target[..., 3:] = 1
    assert mixed_neighborhood(target)[0, 0, 1, 1].tolist() == [False, False, True, True, False]


def test_an_unknown_region_is_refused() -> None:
    with pytest.raises(ValueError, match="'border'"):
        region_mask("border", TARGET, PROBS)
