"""The papers' UNet against the same network written out: equal logits for equal weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from calib_monai.networks import PlainUNet, unet_papers


def written_out(weights: list[Tensor], image: Tensor, strides: tuple[int, ...]) -> Tensor:
    """The logits, by functions alone, with the weights in the order of the layers."""
    left = iter(zip(weights[::2], weights[1::2], strict=True))

    def twice(features: Tensor) -> Tensor:
        for _ in range(2):
            features = functional.conv2d(features, *next(left), padding=1).relu()
        return features

    def level(features: Tensor, deeper: tuple[int, ...]) -> Tensor:
        features = twice(features)
        if not deeper:
            return features
        below = level(functional.max_pool2d(features, deeper[0]), deeper[1:])
        above = functional.interpolate(below, scale_factor=deeper[0], mode="nearest")
        return twice(torch.cat([features, above], dim=1))

    decoded = level(image, strides)
    return functional.conv2d(decoded, *next(left))


def test_the_logits_are_those_of_the_network_written_out() -> None:
    torch.manual_seed(0)
    network = PlainUNet(2, 3, (4, 6, 8), (2, 4))
    image = torch.randn(2, 2, 16, 24)
    torch.testing.assert_close(network(image), written_out(list(network.parameters()), image, (2, 4)))


def test_other_strides_take_slices_that_are_no_multiples_of_32() -> None:
    network = unet_papers(1, 3, [48, 64], strides=[2, 2, 2, 2], features=[4] * 5)
    assert network(torch.randn(1, 1, 48, 64)).shape == (1, 3, 48, 64)


def test_nothing_is_normalized() -> None:
    assert not [one for one in unet_papers(1, 4).modules() if "Norm" in type(one).__name__]


@pytest.mark.parametrize("stride", [0, 1.5])
def test_a_stride_that_is_no_whole_number_from_1_is_refused(stride: float) -> None:
    with pytest.raises(ValueError, match=f"unet_papers: a number in strides is {stride}; it must be a whole number"):
        unet_papers(1, 4, strides=[2, 2, 2, stride])
