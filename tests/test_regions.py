"""Regions: the voxels that their names say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import maximum_filter

from calib_monai.regions import (
    REGIONS,
    Band,
    Boundary,
    Everywhere,
    Foreground,
    Plausible,
    Region,
    Union,
    mixed_neighborhood,
    region_of,
    region_voxels,
)

TARGET = torch.tensor([[[[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]]])
PREDICTED = torch.tensor([[[[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]]])
PROBS = torch.nn.functional.one_hot(PREDICTED[:, 0], 2).movedim(-1, 1).float()


def test_regions_are_what_their_names_say() -> None:
    assert torch.equal(Foreground().mask(TARGET, PROBS), TARGET == 1)
    assert torch.equal(Union().mask(TARGET, PROBS), (TARGET == 1) | (PREDICTED == 1))
    assert Everywhere().mask(TARGET, PROBS).all()
    assert torch.equal(Boundary().mask(TARGET, PROBS), mixed_neighborhood(TARGET))


def test_plausible_is_where_the_foreground_classes_together_are_likely_enough() -> None:
    probs = torch.tensor([[0.995, 0.985, 0.9, 0.0], [0.005, 0.007, 0.0, 0.5], [0.0, 0.008, 0.1, 0.5]])[None, :, None]
    target = torch.tensor([[[[2, 0, 0, 1]]]])
    for at_least, expected in ((0.01, [0, 1, 1, 1]), (0.05, [0, 0, 1, 1]), (0, [1, 1, 1, 1]), (1, [0, 0, 0, 1])):
        assert Plausible(at_least).mask(target, probs).flatten().tolist() == expected


@pytest.mark.parametrize("width", [0, 1, 3])
@pytest.mark.parametrize("shape", [(20, 17), (9, 12, 8)])
def test_the_band_is_within_so_many_voxels_of_the_predicted_foreground(width: int, shape: tuple[int, ...]) -> None:
    probs = torch.rand(1, 3, *shape, generator=torch.Generator().manual_seed(0)).pow(8)
    probs[:, 0] += 0.9
    predicted = (probs.argmax(dim=1) != 0)[0].numpy()
    near = maximum_filter(predicted, size=1 + 2 * width, mode="constant")
    assert predicted.any()
    assert np.array_equal(Band(width).mask(torch.zeros(1, 1, *shape), probs)[0, 0].numpy(), near)


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_is_proper_where_another_label_does_not_change_it(region: str) -> None:
    probs = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    one, other = torch.zeros(1, 1, 12, 12, dtype=torch.int64), torch.zeros(1, 1, 12, 12, dtype=torch.int64)
    other[..., 3:7, 4:9] = 1
    same = torch.equal(region_of(region).mask(one, probs), region_of(region).mask(other, probs))
    assert same == region_of(region).proper


@pytest.mark.parametrize(
    ("region", "options", "said"),
    [
        (Plausible, {"at_least": 1.5}, r"at_least is 1\.5"),
        (Plausible, {"at_least": "0.1"}, r"at_least is '0\.1'"),
        (Plausible, {"at_least": float("nan")}, r"at_least is nan"),
        (Band, {"width": -1}, "width is -1"),
        (Band, {"width": 2.5}, r"width is 2\.5"),
    ],
)
def test_options_that_mean_nothing_are_refused(region: type[Region], options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        region(**options)


def test_regions_of_the_same_options_are_one() -> None:
    assert region_of("plausible") == Plausible(0.01)
    assert len({Plausible(), Plausible(0.01), Plausible(0.1), region_of(Plausible())}) == 2


@pytest.mark.parametrize("shape", [(5, 6), (6, 8, 4)])  # voxels in whole blocks, and not
@pytest.mark.parametrize("region", REGIONS)
def test_the_voxels_of_a_region_are_those_of_its_mask_image_by_image(region: str, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    probs = torch.rand(2, 3, *shape, generator=generator)
    target = torch.randint(3, (2, 1, *shape), generator=generator) * (torch.arange(shape[-1]) > 2)
    masks = region_of(region).mask(target, probs)
    for (chosen, labels), image, target_of, mask in zip(
        region_voxels(region_of(region), target, probs), probs, target, masks, strict=True
    ):
        assert torch.equal(chosen, image[:, mask[0]])
        assert torch.equal(labels, target_of[mask])


def test_the_union_is_where_the_most_probable_class_is_whatever_is_as_probable() -> None:
    probs = torch.randint(3, (1, 4, 40, 40), generator=torch.Generator().manual_seed(0)).float()  # many are as probable
    nothing = torch.zeros(1, 1, 40, 40, dtype=torch.int64)
    assert torch.equal(Union().mask(nothing, probs), probs.argmax(dim=1, keepdim=True) != 0)


@pytest.mark.parametrize(("region", "k"), [(Union(), 0), (Union(), 1), (Band(0), 0), (Band(0), 1), (Plausible(0.2), 0)])
def test_what_is_not_a_number_is_looked_at(region: Region, k: int) -> None:
    probs = torch.tensor([0.9, 0.1]).view(1, 2, 1, 1).repeat(1, 1, 2, 2)
    probs[0, k, 0, 1] = torch.nan
    found = region.mask(torch.zeros(1, 1, 2, 2, dtype=torch.int64), probs)
    assert found.flatten().tolist() == [False, True, False, False]


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
        region_of("border")


@pytest.mark.parametrize("at_least", [1e-9, 1e-7, 1e-5, 0.9e-3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_small_probability_of_the_foreground_is_not_lost_beside_that_of_the_background(
    at_least: float, dtype: torch.dtype
) -> None:
    of_foreground = torch.tensor([0.0, 0.4, 0.6, 1.1]) * at_least
    if dtype == torch.float16:
        at_least = max(at_least, 1e-5)  # lower ones are hardly told apart
        of_foreground = torch.tensor([0.0, 0.4, 0.6, 1.1]) * at_least
    probs = torch.stack([1 - 2 * of_foreground, of_foreground, of_foreground]).view(1, 3, 4, 1).to(dtype)
    inside = Plausible(at_least).mask(torch.zeros(1, 1, 4, 1), probs).flatten().tolist()
    assert inside == [False, False, True, True]


def test_the_voxels_of_a_region_are_selected_by_its_name_and_what_does_not_fit_is_told() -> None:
    probs, target = torch.full((1, 2, 4, 4), 0.5), torch.zeros(1, 1, 4, 4, dtype=torch.long)
    [(selected, labels)] = region_voxels("plausible", target, probs)
    assert (selected.shape, labels.shape) == ((2, 16), (16,))
    for given, told in (
        ((probs, target, "plausible"), "region is tensor"),
        (("nearby", target, probs), "region is 'nearby'; it must be one of plausible"),
        (("all", probs, target), "are Tensor .1, 2, 4, 4. and Tensor .1, 1, 4, 4.; they must be"),
        (("all", target.numpy(), probs), "target and probs are ndarray .1, 1, 4, 4. and Tensor"),
    ):
        with pytest.raises(ValueError, match=told):
            region_voxels(*given)  # type: ignore[arg-type]
