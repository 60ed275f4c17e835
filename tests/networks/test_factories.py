"""Factories: their options are those of the classes that they build; others, and wrong ones, are refused."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import Any

import pytest
import torch
from monai.networks.nets import AttentionUnet, BasicUNetPlusPlus, DynUNet, UNet

from calib_monai.networks import (
    FACTORIES,
    PlainUNet,
    ResNetUNetPlusPlus,
    TransUNet,
    UNetPlusPlus,
    dynunet,
    unet,
    unetpp,
)
from calib_monai.targets import located

KINDS: dict[str, type] = {
    "attention_unet": AttentionUnet,
    "dynunet": DynUNet,
    "transunet": TransUNet,
    "unet": UNet,
    "unet_papers": PlainUNet,
    "unetpp": BasicUNetPlusPlus,
    "unetpp_papers": ResNetUNetPlusPlus,
}
SEVERAL_OUTPUTS = {"deep_supervision", "deep_supr_num"}
SMALL: dict[str, dict[str, Any]] = {
    "attention_unet": {"channels": [4, 8], "strides": [2]},
    "dynunet": {"kernel_size": [3, 3, 3], "strides": [1, 2, 2], "filters": [4, 8, 8]},
    "transunet": {"num_layers": 1, "hidden_size": 24, "mlp_dim": 8},
    "unet": {"channels": [4, 8], "strides": [2]},
    "unet_papers": {"features": [4, 8], "strides": [2]},
    "unetpp": {"features": [4, 4, 4, 4, 4, 4]},
    "unetpp_papers": {"features": [8, 8, 4, 4, 4]},
}


@pytest.mark.parametrize("name", FACTORIES)
def test_the_signature_names_every_option(name: str) -> None:
    parameters = signature(FACTORIES[name]).parameters
    assert parameters.keys() - {"img_size", "spacing", "spatial_dims"} == (
        signature(KINDS[name]).parameters.keys() - SEVERAL_OUTPUTS - {"img_size", "spatial_dims"}
    )
    assert not any(one.kind is Parameter.VAR_KEYWORD for one in parameters.values())
    assert [one.name for one in parameters.values() if one.default is Parameter.empty] == [
        "in_channels",
        "out_channels",
    ]


@pytest.mark.parametrize("name", FACTORIES)
def test_no_module_hides_a_factory(name: str) -> None:
    assert located(f"calib_monai.networks.{name}") is FACTORIES[name]


@pytest.mark.parametrize("name", FACTORIES)
def test_dropout_reaches_the_layers(name: str) -> None:
    network = FACTORIES[name](1, 2, [32, 32], dropout=0.375, **SMALL[name])
    shares = {one.p for one in network.modules() if isinstance(one, torch.nn.Dropout | torch.nn.Dropout2d)}
    assert 0.375 in shares
    assert network(torch.randn(2, 1, 32, 32)).shape == (2, 2, 32, 32)


@pytest.mark.parametrize("name", ["attention_unet", "dynunet", "unet", "unetpp"])
def test_a_network_of_volumes_takes_volumes(name: str) -> None:
    small = SMALL[name]
    assert FACTORIES[name](2, 3, spatial_dims=3, **small)(torch.randn(2, 2, 32, 16, 16)).shape == (2, 3, 32, 16, 16)


@pytest.mark.parametrize(("size", "filters"), [((64, 96), 6), ((48, 64), 5), ((24, 40), 4), ((20, 64), 6)])
def test_dynunet_halves_slices_as_often_as_their_size_allows(size: tuple[int, int], filters: int) -> None:
    network = dynunet(1, 2, img_size=size)
    assert list(network.filters) == [32, 64, 128, 256, 512, 512][:filters]
    if size != (20, 64):  # that cannot be halved three times
        assert network(torch.zeros(1, 1, *size)).shape == (1, 2, *size)


@pytest.mark.parametrize("count", [2, 5, 6])
def test_other_levels_have_strides_of_their_own(count: int) -> None:
    assert list(unet(1, 2, channels=[4] * count).strides) == [1, *[2] * (count - 2)]
    image = torch.zeros(2, 1, 32, 32)
    assert FACTORIES["attention_unet"](1, 2, channels=[4] * count)(image).shape == (2, 2, 32, 32)


def test_the_classes_are_those_of_monai() -> None:
    assert type(unet(1, 2)) is UNet
    assert type(unetpp(1, 2)) is UNetPlusPlus
    assert dynunet(1, 2, strides=(1, 2, (2, 1)), kernel_size=(3, 3, 3), filters=(4, 8, 8)).upsample_kernel_size == (
        2,
        (2, 1),
    )


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("unet", {"dropouts": 0.1}, "unet has no option dropouts; did you mean dropout?"),
        ("unetpp", {"deep_supervision": True}, "unetpp has no option deep_supervision"),
        ("dynunet", {"channels": [8]}, "dynunet has no option channels; did you mean in_channels?"),
        ("unet", {"dropout": 1}, "unet: dropout is 1; it must be a number from 0 on and below 1"),
        ("unetpp", {"dropout": -0.1}, "unetpp: dropout is -0.1"),
        ("unet", {"strides": [2, 2]}, r"unet: strides are \[2, 2\]; with 6 channels there must be 5"),
        ("attention_unet", {"strides": [2] * 5}, r"attention_unet: strides are .*; with 5 channels there must be 4"),
        ("dynunet", {"filters": [8] * 7}, "dynunet: filters has 7 values; give 6, or give strides, too$"),
        ("unet_papers", {"features": [8] * 4}, "unet_papers: features has 4 values; give 5, or give strides, too$"),
        ("dynunet", {"upsample_kernel_size": [2] * 6}, r"dynunet: upsample_kernel_size is .*; it must be a list of 5"),
        ("unet", {"channels": [0, 8], "strides": [2]}, "unet: a number in channels is 0; it must be a whole number"),
        ("unet", {"channels": 8}, "unet: channels is 8; it must be a list"),
        ("unet", {"norm": "btach"}, "unet: .*BTACH"),
        ("unetpp", {"features": [8, 8]}, r"unetpp: features is \[8, 8\]; it must be a list of 6"),
        ("unet", {"spatial_dims": 4}, "unet: spatial_dims is 4; it must be 2 or 3"),
        ("unet_papers", {"spatial_dims": 3}, "unet_papers has no option spatial_dims"),
        ("unet_papers", {"strides": [2, 2]}, r"unet_papers: strides are \[2, 2\]; with 5 features there must be 4"),
        (
            "unet_papers",
            {"img_size": [48, 64]},
            r'unet_papers: .* must be multiples of 32: give --slice_size "\[64, 64\]", or other strides',
        ),
        (
            "unetpp_papers",
            {"img_size": [48, 64]},
            r'unetpp_papers: img_size is \[48, 64\]; .* of 32: give --slice_size "\[64, 64\]"$',
        ),
        ("unetpp_papers", {"features": [8]}, r"unetpp_papers: features is \[8\]; it must be a list of 5"),
        (
            "unetpp_papers",
            {"pretrained": "nowhere.pth"},
            "unetpp_papers: nowhere.pth is missing; it must be torchvision",
        ),
        ("transunet", {"img_size": None}, "transunet: img_size is None; it must be height and width"),
        ("transunet", {"img_size": [30, 32]}, r"transunet: img_size is \[30, 32\]"),
        ("transunet", {"pretrained": "nowhere.npz"}, "transunet: .*nowhere.npz"),
    ],
)
def test_an_option_that_cannot_be_is_refused_in_one_line(name: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}") as refused:
        FACTORIES[name](1, 2, **{"img_size": [32, 32]} | options)
    assert "\n" not in str(refused.value)


def test_a_missing_argument_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match="unet: TypeError: missing a required argument: 'out_channels'"):
        unet(1)  # type: ignore[call-arg]
