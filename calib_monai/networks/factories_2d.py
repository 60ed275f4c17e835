"""Factories of networks for 2D images alone, as the papers trained them; `factories` has those of MONAI's networks."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from calib_monai.networks.options import hands_on_to
from calib_monai.networks.plain_unet import STRIDES, PlainUNet
from calib_monai.networks.resnet_unet_plus_plus import MULTIPLE, ResNetUNetPlusPlus
from calib_monai.networks.trans_unet import TransUNet


@hands_on_to(PlainUNet)
def unet_papers(
    in_channels: int,
    out_channels: int,
    img_size: Sequence[int] | None = None,
    *,
    strides: Sequence[int] = STRIDES,
    **options: Any,
) -> PlainUNet:
    """The UNet of the papers' main tables for 2D images, see `calib_monai.networks.PlainUNet`.

    Args:
        in_channels: C, channels of the image (B, C, H, W).
        out_channels: K, number of classes; the logits are (B, K, H, W).
        img_size: H and W, which are checked if they are given: multiples of the product of the strides, 32.
        strides: of the max-pooling between the levels.
        options: `features`, `act`, `norm` and `dropout` of `PlainUNet`.

    Raises:
        ValueError: an unknown option, or one that the network cannot have.
    """
    network = PlainUNet(in_channels, out_channels, strides=strides, **options)
    _check_image_size(img_size, prod(strides), ", or other strides")
    return network


@hands_on_to(ResNetUNetPlusPlus)
def unetpp_papers(
    in_channels: int,
    out_channels: int,
    img_size: Sequence[int] | None = None,
    *,
    pretrained: str | None = None,
    **options: Any,
) -> ResNetUNetPlusPlus:
    """The UNet++ of the papers for 2D images, over a ResNet-34, see `calib_monai.networks.ResNetUNetPlusPlus`.

    Args:
        in_channels: C, channels of the image (B, C, H, W).
        out_channels: K, number of classes; the logits are (B, K, H, W).
        img_size: H and W, which are checked if they are given: multiples of 32.
        pretrained: path of `resnet34-b627a593.pth`, the weights of ImageNet. Without it all weights start at random.
        options: `features` and `dropout` of `ResNetUNetPlusPlus`.

    Raises:
        ValueError: an unknown option, one that the network cannot have, or a file that does not fit.
    """
    network = ResNetUNetPlusPlus(in_channels, out_channels, pretrained=pretrained, **options)
    _check_image_size(img_size, MULTIPLE)
    return network


@hands_on_to(TransUNet)
def transunet(
    in_channels: int,
    out_channels: int,
    img_size: Sequence[int] | None = None,
    *,
    pretrained: str | None = None,
    **options: Any,
) -> TransUNet:
    """TransUNet for 2D images (Chen et al. 2021, arXiv:2102.04306), see `calib_monai.networks.TransUNet`.

    Args:
        in_channels: C, channels of the image (B, C, H, W).
        out_channels: K, number of classes; the logits are (B, K, H, W).
        img_size: H and W for which position embeddings are made, multiples of 16. It must be given.
        pretrained: path of `R50+ViT-B_16.npz`, the weights of ImageNet-21k. Without it all weights start at random.
        options: `hidden_size`, `mlp_dim`, `num_layers`, `num_heads` and `dropout` of `TransUNet`.

    Raises:
        ValueError: an unknown option, one that the network cannot have, or a file that does not fit.
    """
    if img_size is None:
        raise ValueError("img_size is None; it must be height and width of the images")
    return TransUNet(in_channels, out_channels, img_size, pretrained=pretrained, **options)


def _check_image_size(img_size: Sequence[int] | None, multiple: int, what: str = "") -> None:
    """Raise ValueError if the sides of images are given and no multiples; the message says what can be changed."""
    if any(size % multiple for size in img_size or ()):
        larger = [-(-size // multiple) * multiple for size in img_size or ()]
        raise ValueError(
            f'img_size is {img_size}; H and W must be multiples of {multiple}: give --slice_size "{larger}"{what}'
        )
