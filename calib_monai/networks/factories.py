"""Factories of networks: each takes the channels of images and classes, and the options of the class that it builds.

`img_size`, H and W[, D] of the images, is there for `transunet`; the other networks take images of several sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.networks.nets import AttentionUnet, BasicUNetPlusPlus, DynUNet, UNet

from calib_monai.networks.options import check_levels, check_list, hands_on_to
from calib_monai.networks.trans_unet import TransUNet
from calib_monai.networks.unet_plus_plus import UNetPlusPlus


@hands_on_to(UNet)
def unet(
    in_channels: int,
    out_channels: int,
    img_size: Sequence[int] | None = None,  # noqa: ARG001 - every factory takes it
    *,
    spatial_dims: int = 2,
    channels: Sequence[int] = (8, 16, 32, 64, 128, 256),
    strides: Sequence[int] = (1, 2, 2, 2, 2),
    **options: Any,
) -> UNet:
    """MONAI's UNet: images (B, C, H, W[, D]) become logits (B, K, H, W[, D]).

    The first level keeps the full resolution. Without it the confidence shows a grid.

    Args:
        in_channels: C, channels of the image.
        out_channels: K, number of classes.
        img_size: not used. H, W and D must be multiples of the product of the strides.
        spatial_dims: 2 or 3.
        channels: of the levels.
        strides: between the levels.
        options: `kernel_size`, `up_kernel_size`, `num_res_units`, `act`, `norm`, `dropout`, `bias` and `adn_ordering`
            of MONAI's UNet.

    Raises:
        ValueError: an unknown option, or one that the network cannot have.
    """
    check_levels("channels", channels, strides)
    return UNet(spatial_dims, in_channels, out_channels, channels, strides, **options)


@hands_on_to(AttentionUnet)
def attention_unet(
    in_channels: int,
    out_channels: int,
    img_size: Sequence[int] | None = None,  # noqa: ARG001 - every factory takes it
    *,
    spatial_dims: int = 2,
    channels: Sequence[int] = (64, 128, 256, 512, 1024),
    strides: Sequence[int] = (2, 2, 2, 2),
    **options: Any,
) -> AttentionUnet:
    """MONAI's AttentionUnet (Oktay et al. 2018, arXiv:1804.03999): images (B, C, H, W[, D]) become logits.

    It normalizes over batches.

    Args:
        in_channels: C, channels of the image.
        out_channels: K, number of classes; the logits are (B, K, H, W[, D]).
        img_size: not used. H, W and D must be multiples of the product of the strides.
        spatial_dims: 2 or 3.
        channels: of the levels.
        strides: between the levels.
        options: `kernel_size`, `up_kernel_size` and `dropout` of MONAI's AttentionUnet.

    Raises:
        ValueError: an unknown option, or one that the network cannot have.
    """
    check_levels("channels", channels, strides)
    return AttentionUnet(spatial_dims, in_channels, out_channels, channels, strides, **options)


@hands_on_to(BasicUNetPlusPlus, but=["deep_supervision"])
def unetpp(
    in_channels: int,
    out_channels: int,
    img_size: Sequence[int] | None = None,  # noqa: ARG001 - every factory takes it
    *,
    spatial_dims: int = 2,
    features: Sequence[int] = (32, 32, 64, 128, 256, 32),
    **options: Any,
) -> UNetPlusPlus:
    """MONAI's BasicUNetPlusPlus with one output (Zhou et al. 2018, arXiv:1807.10165), see `UNetPlusPlus`.

    Args:
        in_channels: C, channels of the image (B, C, H, W[, D]).
        out_channels: K, number of classes; the logits are (B, K, H, W[, D]).
        img_size: not used. H, W and D must be multiples of 16.
        spatial_dims: 2 or 3.
        features: channels of the five levels, and of the last layers.
        options: `act`, `norm`, `bias`, `dropout` and `upsample` of MONAI's BasicUNetPlusPlus.

    Raises:
        ValueError: an unknown option, or one that the network cannot have.
    """
    check_list("features", features, 6)
    return UNetPlusPlus(spatial_dims, in_channels, out_channels, features, **options)


@hands_on_to(DynUNet, but=["deep_supervision", "deep_supr_num"])
def dynunet(
    in_channels: int,
    out_channels: int,
    img_size: Sequence[int] | None = None,  # noqa: ARG001 - every factory takes it
    *,
    spatial_dims: int = 2,
    kernel_size: Sequence[int] = (3, 3, 3, 3, 3, 3),
    strides: Sequence[int] = (1, 2, 2, 2, 2, 2),
    upsample_kernel_size: Sequence[int] | None = None,
    filters: Sequence[int] = (32, 64, 128, 256, 512, 512),
    norm_name: tuple[Any, ...] | str = "instance",
    res_block: bool = True,
    **options: Any,
) -> DynUNet:
    """MONAI's DynUNet as CRaC set it (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z), without deep supervision.

    Args:
        in_channels: C, channels of the image (B, C, H, W[, D]).
        out_channels: K, number of classes; the logits are (B, K, H, W[, D]).
        img_size: not used. H, W and D must be multiples of the product of the strides.
        spatial_dims: 2 or 3.
        kernel_size: of the convolutions of each level.
        strides: of each level, the first one first.
        upsample_kernel_size: of the transposed convolutions; `strides` without the first by default.
        filters: channels of the levels.
        norm_name: normalization.
        res_block: whether blocks have residual connections.
        options: `dropout`, `act_name` and `trans_bias` of MONAI's DynUNet.

    Raises:
        ValueError: an unknown option, or one that the network cannot have.
    """
    check_levels("filters", filters, strides, between=0)
    upsampling = strides[1:] if upsample_kernel_size is None else upsample_kernel_size
    check_list("upsample_kernel_size", upsampling, len(strides) - 1)
    return DynUNet(
        spatial_dims,
        in_channels,
        out_channels,
        kernel_size,
        strides,
        upsampling,
        filters,
        norm_name=norm_name,
        res_block=res_block,
        **options,
    )


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
