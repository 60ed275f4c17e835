"""Factories of networks: each takes the channels of images and classes, and the options of the class that it builds.

`img_size`, H and W[, D] of the images, is an argument of all of them; networks that take several sizes do not need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.networks.nets import AttentionUnet, BasicUNetPlusPlus, DynUNet, UNet

from calib_monai.arguments import check_whole
from calib_monai.networks.level_unet import LevelUNet
from calib_monai.networks.levels import Levels, levels_of
from calib_monai.networks.options import check_levels, check_list, hands_on_to
from calib_monai.networks.unet_plus_plus import UNetPlusPlus

HALVINGS = (5, 4, 3)  # of slices by DynUNet; as CRaC set it first
MOST_CHANNELS = 320  # of a level of a network for volumes, as in nnU-Net


@hands_on_to(UNet)
def unet(
    in_channels: int,
    out_channels: int,
    img_size: Sequence[int] | None = None,
    *,
    spatial_dims: int = 2,
    spacing: Sequence[float] | None = None,
    channels: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    **options: Any,
) -> UNet:
    """MONAI's UNet: images (B, C, H, W[, D]) become logits (B, K, H, W[, D]).

    The first level keeps the full resolution. Without it the confidence shows a grid. With `spacing` the levels follow
    from the size and the spacing of patches, see `calib_monai.networks.levels.levels_of`; each layer then has a
    residual unit, unless `num_res_units` says otherwise.

    Args:
        in_channels: C, channels of the image.
        out_channels: K, number of classes.
        img_size: H, W and D of patches, used with `spacing`. H, W and D must be multiples of the product of the
            strides.
        spatial_dims: 2 or 3.
        spacing: size of a voxel along H, W and D in mm; None takes the levels of `strides`.
        channels: of the levels; by default 8, 16, 32, 64, 128 and 256, with `spacing` 12, 24, 48 ..., at most 320.
        strides: between the levels; by default 1, then 2. With `spacing` it must be left out.
        options: `kernel_size` and `up_kernel_size` (not with `spacing`), `num_res_units`, `act`, `norm`, `dropout`,
            `bias` and `adn_ordering` of MONAI's UNet.

    Raises:
        ValueError: an unknown option, or one that the network cannot have.
    """
    if spacing is not None:
        for name in {"kernel_size", "up_kernel_size"} & options.keys():
            raise ValueError(f"{name} and spacing are both given; the kernels follow from the spacing: leave one out")
        levels = _levels(spatial_dims, img_size, spacing, strides)
        channels = _doubled(12, len(levels.strides) + 1) if channels is None else channels
        _check_count(channels, len(levels.strides) + 1)
        check_levels("channels", channels, levels.strides)
        return LevelUNet(in_channels, out_channels, channels, levels, **{"num_res_units": 1} | options)
    channels = (8, 16, 32, 64, 128, 256) if channels is None else channels
    strides = _strides(1, channels) if strides is None else strides
    check_levels("channels", channels, strides)
    return UNet(spatial_dims, in_channels, out_channels, channels, strides, **options)


@hands_on_to(AttentionUnet)
def attention_unet(
    in_channels: int,
    out_channels: int,
    img_size: Sequence[int] | None = None,
    *,
    spatial_dims: int = 2,
    spacing: Sequence[float] | None = None,
    channels: Sequence[int] | None = None,
    strides: Sequence[Any] | None = None,
    **options: Any,
) -> AttentionUnet:
    """MONAI's AttentionUnet (Oktay et al. 2018, arXiv:1804.03999): images (B, C, H, W[, D]) become logits.

    It normalizes over batches.

    Args:
        in_channels: C, channels of the image.
        out_channels: K, number of classes; the logits are (B, K, H, W[, D]).
        img_size: H, W and D of patches, used with `spacing`. H, W and D must be multiples of the product of the
            strides.
        spatial_dims: 2 or 3.
        spacing: size of a voxel along H, W and D in mm, from which the strides follow as in `unet`; kernels do not.
        channels: of the levels; by default 64, 128, 256, 512 and 1024, with `spacing` 16, 32, 64 ..., at most 320.
        strides: between the levels; by default 2. With `spacing` it must be left out.
        options: `kernel_size`, `up_kernel_size` and `dropout` of MONAI's AttentionUnet.

    Raises:
        ValueError: an unknown option, or one that the network cannot have.
    """
    if spacing is not None:
        of_levels = _levels(spatial_dims, img_size, spacing, strides).strides
        channels = _doubled(16, len(of_levels)) if channels is None else channels
        _check_count(channels, len(of_levels))
        strides = of_levels[1:]
    channels = (64, 128, 256, 512, 1024) if channels is None else channels
    strides = _strides(2, channels) if strides is None else strides
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

    The papers' UNet++ is another network, `unetpp_papers`.

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


def _strides(first: int, channels: Sequence[int]) -> tuple[int, ...]:
    """The strides between levels of these channels: a first one, and 2 from then on."""
    check_list("channels", channels)
    return (first, *[2] * len(channels))[: max(0, len(channels) - 1)]


def _halvings(img_size: Sequence[int] | None) -> int:
    """How often DynUNet halves slices: five times, or four or three if their size allows no more."""
    sizes = img_size or ()
    for size in sizes:
        check_whole("a number in img_size", size, 1)
    return next((count for count in HALVINGS if not any(size % 2**count for size in sizes)), HALVINGS[0])


@hands_on_to(DynUNet, but=["deep_supervision", "deep_supr_num"])
def dynunet(
    in_channels: int,
    out_channels: int,
    img_size: Sequence[int] | None = None,
    *,
    spatial_dims: int = 2,
    spacing: Sequence[float] | None = None,
    kernel_size: Sequence[Any] | None = None,
    strides: Sequence[Any] | None = None,
    upsample_kernel_size: Sequence[Any] | None = None,
    filters: Sequence[int] | None = None,
    norm_name: tuple[Any, ...] | str = "instance",
    res_block: bool = True,
    **options: Any,
) -> DynUNet:
    """MONAI's DynUNet as CRaC set it (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z), without deep supervision.

    Args:
        in_channels: C, channels of the image (B, C, H, W[, D]).
        out_channels: K, number of classes; the logits are (B, K, H, W[, D]).
        img_size: H, W and D of slices or patches, from which the levels follow. H, W and D must be multiples of the
            product of the strides.
        spatial_dims: 2 or 3.
        spacing: size of a voxel along H, W and D in mm, from which kernels and strides follow as in `unet`.
        kernel_size: of the convolutions of each level; by default 3.
        strides: of each level, the first one first; by default 1, then 2 five times, or as often as `img_size` can be
            halved, three times at least. With `spacing` it must be left out.
        upsample_kernel_size: of the transposed convolutions; `strides` without the first by default.
        filters: channels of the levels; by default the first of 32, 64, 128, 256, 512 and 512, with `spacing` 32,
            64 ..., at most 320.
        norm_name: normalization.
        res_block: whether blocks have residual connections.
        options: `dropout`, `act_name` and `trans_bias` of MONAI's DynUNet.

    Raises:
        ValueError: an unknown option, or one that the network cannot have.
    """
    if spacing is not None:
        levels = _levels(spatial_dims, img_size, spacing, strides)
        strides, kernel_size = levels.strides, levels.kernels if kernel_size is None else kernel_size
        filters = _doubled(32, len(strides)) if filters is None else filters
    by_size = strides is None
    strides = (1, *[2] * _halvings(img_size)) if strides is None else strides
    filters = (32, 64, 128, 256, 512, 512)[: len(strides)] if filters is None else filters
    kernel_size = (3,) * len(strides) if kernel_size is None else kernel_size
    check_levels("filters", filters, strides, between=0, default=by_size)
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


def _levels(spatial_dims: int, img_size: Sequence[int] | None, spacing: Sequence[float], strides: Any) -> Levels:
    """The levels for patches of volumes; raise ValueError for images, without a size, or with strides besides."""
    if spatial_dims != 3:  # noqa: PLR2004 - dimensions
        raise ValueError(f"spacing is given, and spatial_dims is {spatial_dims}; only volumes have a spacing here")
    if img_size is None:
        raise ValueError("spacing is given, and img_size is None; it must be the size of patches")
    if strides is not None:
        raise ValueError("strides and spacing are both given; the strides follow from the spacing: leave one out")
    return levels_of(img_size, spacing)


def _check_count(channels: Sequence[int], count: int) -> None:
    """Raise ValueError if channels are not as many as the levels need that follow from a spacing."""
    check_list("channels", channels)
    if len(channels) != count:
        raise ValueError(
            f"channels are {list(channels)}; patches of this size need {count} of them, as {_doubled(8, count)}"
        )


def _doubled(first: int, count: int) -> list[int]:
    """Channels of levels, each twice the one before, at most 320."""
    return [min(first * 2**level, MOST_CHANNELS) for level in range(count)]
