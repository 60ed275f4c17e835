"""TransUNet: the published size, any image, and its parts against plain computations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import zoom
from torch.nn import functional

from calib_monai.networks import TransUNet
from calib_monai.networks.resnetv2 import ResidualUnit, ResNetV2, StandardizedConv2d
from calib_monai.networks.vit import VisionTransformer, resized

SMALL = {"hidden_size": 32, "mlp_dim": 48, "num_layers": 2, "num_heads": 4}


@pytest.fixture(scope="module")
def network() -> TransUNet:
    torch.manual_seed(0)
    return TransUNet(1, 3, [48, 64], **SMALL).eval()


def test_the_published_network_has_the_published_number_of_weights() -> None:
    with torch.device("meta"):
        network = TransUNet(in_channels=3, out_channels=5, img_size=(192, 192))
    assert sum(weights.numel() for weights in network.parameters()) == 105_236_565


@pytest.mark.parametrize(
    ("in_channels", "out_channels", "size"), [(1, 2, (16, 16)), (3, 9, (32, 80)), (4, 1, (48, 16))]
)
def test_an_image_of_any_channels_and_size_becomes_logits_of_any_classes(
    in_channels: int, out_channels: int, size: tuple[int, int]
) -> None:
    network = TransUNet(in_channels, out_channels, size, **SMALL)
    assert network(torch.randn(2, in_channels, *size)).shape == (2, out_channels, *size)


def test_a_batch_is_what_its_images_are_one_by_one(network: TransUNet) -> None:
    images = torch.randn(2, 1, 48, 64)
    torch.testing.assert_close(network(images), torch.cat([network(images[:1]), network(images[1:])]))


def test_memory_format_and_bfloat16_change_the_logits_little(network: TransUNet) -> None:
    image = torch.randn(2, 1, 48, 64)
    torch.testing.assert_close(network(image.to(memory_format=torch.channels_last)), network(image))
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(image)
    assert logits.dtype == torch.bfloat16
    torch.testing.assert_close(logits.float(), network(image), rtol=0.05, atol=0.05)


def test_another_size_takes_the_position_embeddings_interpolated_as_published(network: TransUNet) -> None:
    position = network.transformer.position.detach()
    assert resized(position, [3, 4]) is position
    published = zoom(position.double().numpy(), (1, 1, 5 / 3, 3 / 4), order=1)
    torch.testing.assert_close(resized(position.double(), [5, 3]), torch.from_numpy(published))
    other = TransUNet(1, 3, [80, 48], **SMALL).eval()
    other.load_state_dict(network.state_dict() | {"transformer.position": resized(position, [5, 3])})
    image = torch.randn(1, 1, 80, 48)
    torch.testing.assert_close(network(image), other(image))


def test_each_place_of_the_map_has_its_own_position_and_stays_where_it_is() -> None:
    transformer = VisionTransformer(5, [2, 3], 8, 8, num_layers=0).eval()
    features = torch.randn(1, 5, 2, 3)
    place = transformer.embedding(features)[0, :, 1, 2] + transformer.position[0, :, 1, 2]
    expected = functional.layer_norm(place, [8], eps=1e-6)
    torch.testing.assert_close(transformer(features)[0, :, 1, 2], expected)


def test_every_place_sees_every_other_and_only_training_drops() -> None:
    transformer = VisionTransformer(5, [2, 3], **SMALL)
    features = torch.randn(1, 5, 2, 3, requires_grad=True)
    assert not torch.equal(transformer(features), transformer(features))
    transformer.eval()
    (gradient,) = torch.autograd.grad(transformer(features)[0, 0, 0, 0], features)
    assert (gradient.abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize(("kernel_size", "stride"), [(7, 2), (3, 2), (3, 1), (1, 2)])
def test_a_convolution_standardizes_its_kernels_and_pads_the_far_edge_first(kernel_size: int, stride: int) -> None:
    convolution = StandardizedConv2d(2, 3, kernel_size, stride).double()
    image = torch.randn(1, 2, 8, 10, dtype=torch.float64)
    kernels = [kernel - kernel.mean() for kernel in convolution.weight.detach().numpy()]
    kernels = [kernel / kernel.std() for kernel in kernels]
    near = max(kernel_size - stride, 0) // 2
    padded = np.pad(image[0].numpy(), ((0, 0), (near, kernel_size), (near, kernel_size)))
    expected = np.zeros((3, 8 // stride, 10 // stride))
    for channel, row, column in np.ndindex(expected.shape):
        top, left = stride * row, stride * column
        window = padded[:, top : top + kernel_size, left : left + kernel_size]
        expected[channel, row, column] = (window * kernels[channel]).sum()
    torch.testing.assert_close(convolution(image)[0], torch.from_numpy(expected), rtol=1e-6, atol=1e-6)


def test_a_unit_adds_its_normalized_shortcut_before_the_last_relu() -> None:
    unit = ResidualUnit(64, 32, stride=2)
    features = torch.randn(1, 64, 6, 4)
    torch.nn.init.zeros_(unit.gn3.weight)
    torch.nn.init.constant_(unit.gn3.bias, 0.5)
    shortcut = functional.group_norm(unit.conv_proj(features), 32, eps=1e-6)
    torch.testing.assert_close(unit(features), functional.relu(shortcut + 0.5))
    assert isinstance(ResidualUnit(128, 32).gn_proj, torch.nn.Identity)


def test_the_encoder_gives_its_skips_the_coarsest_first() -> None:
    encoder = ResNetV2(1)
    features, skips = encoder(torch.randn(1, 1, 32, 64))
    assert features.shape == (1, 1024, 2, 4)
    assert [tuple(skip.shape[1:]) for skip in skips] == [(512, 4, 8), (256, 8, 16), (64, 16, 32)]
    assert all((skip >= 0).all() for skip in skips)
    rows = torch.arange(6.0).reshape(1, 1, 6, 1).expand(1, 1, 6, 6)
    assert encoder.pool(rows)[0, 0, :, 0].tolist() == [2.0, 4.0, 5.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_channels": 0}, "in_channels is 0; it must be a whole number"),
        ({"out_channels": 2.5}, r"out_channels is 2.5; it must be a whole number"),
        ({"num_layers": 0}, "num_layers is 0"),
        ({"img_size": [40, 64]}, r"img_size is \[40, 64\]; it must be height and width, multiples of 16"),
        ({"img_size": [64, 64, 64]}, r"img_size is \[64, 64, 64\]"),
        ({"img_size": [0, 64]}, r"img_size is \[0, 64\]"),
        ({"img_size": 64}, "img_size is 64; it must be height and width"),
        ({"num_heads": 7}, "hidden_size is 768; it must be a multiple of num_heads, 7"),
        ({"dropout": 1.0}, "dropout is 1.0; it must be a number from 0 on"),
    ],
)
def test_an_argument_out_of_its_range_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransUNet(**{"in_channels": 1, "out_channels": 2, "img_size": [64, 64]} | arguments)


def test_an_image_whose_sides_do_not_fit_is_refused(network: TransUNet) -> None:
    with pytest.raises(ValueError, match=r"image is \[1, 1, 40, 64\]; height and width must be multiples of 16"):
        network(torch.randn(1, 1, 40, 64))
