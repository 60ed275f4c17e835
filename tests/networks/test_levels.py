"""Levels of networks for volumes: nnU-Net's published topologies, and networks that are built by them."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
import torch
from monai.networks.nets import UNet

from calib_monai.networks import FACTORIES, OF_VOLUMES, unet
from calib_monai.networks.levels import levels_of


@pytest.mark.parametrize(
    ("img_size", "spacing", "strides", "kernels"),
    [
        ([40, 56, 40], [1, 1, 1], ["111", "222", "222", "222"], ["333"] * 4),
        ([128, 128, 128], [1, 1, 1], ["111"] + ["222"] * 5, ["333"] * 6),
        (
            [224, 256, 20],
            [1.5625, 1.5625, 5.0],
            ["111", "221", "222", "222", "221", "221"],
            ["331", "333", "333", "333", "333", "333"],
        ),
        ([256, 320, 20], [0.625, 0.625, 3.6], ["111", "221", "221", "222", "222", "221", "221"], None),
    ],
    ids=["MSD hippocampus", "BraTS", "ACDC", "MSD prostate"],
)
def test_the_levels_are_those_of_the_plans_of_nnu_net(
    img_size: list[int], spacing: list[float], strides: list[str], kernels: list[str] | None
) -> None:
    found = levels_of(img_size, spacing)
    assert ["".join(map(str, stride)) for stride in found.strides] == strides
    if kernels is not None:
        assert ["".join(map(str, kernel)) for kernel in found.kernels] == kernels


@pytest.mark.parametrize(
    ("img_size", "said"),
    [
        ([100, 96, 96], "100 is halved until 25, which is odd: it must be a multiple of 8, as 104"),
        ([97, 96, 96], "97 is halved until 97, which is odd: it must be a multiple of 2, as 98"),
        ([16, 16, 18], "18 is halved until 9, which is odd: it must be a multiple of 4, as 20"),
    ],
)
def test_a_size_that_cannot_be_halved_is_refused(img_size: list[int], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        levels_of(img_size, [1, 1, 1])


@pytest.mark.parametrize(
    ("img_size", "spacing", "said"),
    [
        ([32, 32], [1, 1, 1], "img_size is [32, 32]; it must be a list of 3"),
        ([32, 32, 32], [1, 1], "spacing is [1, 1]; it must be a list of 3"),
        ([32, 32, 0], [1, 1, 1], "a number in img_size is 0"),
        ([32, 32, 32], [1, 1, -1], "a number in spacing is -1"),
        ([32, 32, 32], [1, 1, float("nan")], "a number in spacing is nan"),
    ],
)
def test_what_is_no_size_or_spacing_is_refused(img_size: list[int], spacing: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        levels_of(img_size, spacing)


@pytest.mark.parametrize("name", OF_VOLUMES)
@pytest.mark.parametrize(("img_size", "spacing"), [([16, 24, 16], [1, 1, 1]), ([32, 32, 8], [1, 1, 5])])
def test_a_network_takes_patches_of_its_size_and_spacing(name: str, img_size: list[int], spacing: list[float]) -> None:
    with torch.device("meta"):
        network = FACTORIES[name](2, 3, img_size, spatial_dims=3, spacing=spacing)
        assert network.eval()(torch.zeros(1, 2, *img_size)).shape == (1, 3, *img_size)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("unet", {"spatial_dims": 2}, "only volumes have a spacing"),
        ("unet", {"strides": [1, 2]}, "strides and spacing are both given"),
        ("unet", {"channels": [4, 8]}, "patches of this size need 4 of them, as [8, 16, 32, 64]"),
        ("unet", {"kernel_size": 5}, "kernel_size and spacing are both given"),
        ("dynunet", {"img_size": None}, "img_size is None"),
        ("unetpp", {}, "unetpp has no option spacing"),
        ("transunet", {}, "transunet has no option"),
    ],
)
def test_what_does_not_go_with_a_spacing_is_refused(name: str, options: dict[str, Any], said: str) -> None:
    given = {"img_size": [16, 16, 16], "spatial_dims": 3, "spacing": [1, 1, 1]} | options
    with pytest.raises(ValueError, match=re.escape(said)):
        FACTORIES[name](1, 2, **given)


def test_a_unet_of_equal_axes_is_that_of_monai() -> None:
    torch.manual_seed(0)
    own = unet(1, 3, [16, 16, 16], spatial_dims=3, spacing=[1, 1, 1]).eval()
    of_monai = UNet(3, 1, 3, own.channels, [1, 2, 2], num_res_units=1).eval()
    of_monai.load_state_dict(own.state_dict())
    image = torch.randn(1, 1, 16, 16, 16)
    assert torch.equal(own(image), of_monai(image))


def test_kernels_of_thick_slices_are_flat_until_the_spacings_are_alike() -> None:
    network = unet(1, 2, [32, 32, 8], spatial_dims=3, spacing=[1, 1, 4])
    sizes = [tuple(one.kernel_size) for one in network.modules() if isinstance(one, torch.nn.Conv3d)]
    assert sizes[0] == (3, 3, 1)
    assert (3, 3, 3) in sizes
    image = torch.randn(1, 1, 32, 32, 8)
    copied = copy.deepcopy(network.eval())
    assert torch.equal(copied(image), network(image))
    assert torch.allclose(torch.jit.script(network)(image), network(image), atol=1e-6)
