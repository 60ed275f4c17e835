"""Presets: MONAI's transforms with the arguments that bundles share, so that a configuration gives only the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from monai.config import KeysCollection
from monai.transforms import (
    Compose,
    CropForegroundd,
    Lambdad,
    MapTransform,
    RandAdjustContrastd,
    RandAffined,
    RandGaussianNoised,
    Resized,
    ScaleIntensityRanged,
    ScaleIntensityRangePercentilesd,
    SpatialPadd,
)
from monai.utils import ensure_tuple

from calib_monai.arguments import check_choice, check_number, check_range, check_whole, is_number
from calib_monai.case_keys import IMAGE, LABEL
from calib_monai.grids import SPATIAL_DIMS
from calib_monai.relabeled import Relabeld

MODES = {IMAGE: "bilinear", LABEL: "nearest"}  # of resampling
THICK = 2  # times as much as another spacing

relabel = Relabeld


def window(window: Sequence[float], keys: KeysCollection = IMAGE) -> ScaleIntensityRanged:
    """Scales the values of a window to [0, 1], such as Hounsfield units; those outside become 0 or 1.

    Args:
        window: its lowest and its highest value.
        keys: images.

    Raises:
        ValueError: other than two numbers, the lower first.
    """
    _check_ends("window", window)
    low, high = window
    return ScaleIntensityRanged(keys, low, high, b_min=0, b_max=1, clip=True)


def percentiles(lower: float, upper: float, keys: KeysCollection = IMAGE) -> ScaleIntensityRangePercentilesd:
    """Scales the values between two percentiles of an image to [0, 1]; those outside become 0 or 1.

    Args:
        lower: the percentile that becomes 0.
        upper: the percentile that becomes 1.
        keys: images.

    Raises:
        ValueError: others than two numbers from 0 to 100, the lower first.
    """
    _check_ends("the range of percentiles", [lower, upper], 0, 100)
    return ScaleIntensityRangePercentilesd(keys, lower, upper, b_min=0, b_max=1, clip=True)


def channel(index: int, keys: KeysCollection = IMAGE) -> Lambdad:
    """Keeps one channel, (1, H, W[, D]).

    Args:
        index: which one, from 0.
        keys: images, (C, H, W[, D]).

    Raises:
        ValueError: another index than a whole number from 0.
    """
    check_whole("index", index, 0)
    return Lambdad(keys, partial(torch.narrow, dim=0, start=index, length=1))


def crop_to_foreground(margin: int, keys: KeysCollection = (IMAGE, LABEL)) -> CropForegroundd:
    """Crops to the voxels of "image" that are above 0.

    Args:
        margin: voxels that are kept around them.
        keys: what is cropped; missing keys are passed over.
    """
    return CropForegroundd(keys, source_key=IMAGE, margin=margin, allow_missing_keys=True)


def pad_to(size: Sequence[int], keys: KeysCollection = (IMAGE, LABEL)) -> SpatialPadd:
    """Pads volumes with zeros, half of them on each side, to at least the size of the network's slices or patches.

    Args:
        size: H and W of slices, whose number stays, or H, W and D of patches.
        keys: what is padded, (C, H, W, D).
    """
    return SpatialPadd(keys, [*size, -1][:SPATIAL_DIMS])


def resize(size: Sequence[int], keys: KeysCollection = (IMAGE, LABEL)) -> Compose | MapTransform:
    """Resizes images, and labels by their nearest pixels.

    Args:
        size: height and width in pixels.
        keys: what is resized, "image" and "label" or one of them; a missing label is passed over.

    Raises:
        ValueError: another key.
    """
    names = [str(key) for key in ensure_tuple(keys)]
    for name in names:
        check_choice("a key of resize", name, MODES)
    resizing = [Resized(name, size, mode=MODES[name], allow_missing_keys=name == LABEL) for name in names]
    return resizing[0] if len(resizing) == 1 else Compose(resizing)


def patch_changes(
    patch_size: Sequence[int],
    spacing: Sequence[float],
    rotation: float = 15.0,
    scale: float = 0.15,
    shift: float = 0.08,
    gamma: Sequence[float] = (0.67, 1.5),
    noise: float = 0.02,
    keys: KeysCollection = (IMAGE, LABEL),
) -> Compose:
    """Random changes of patches of volumes: turned, scaled and moved, with another contrast and with noise.

    A patch is not turned about an axis if the spacings along the other two differ twofold: that would mix thick and
    thin voxels. Patches of thick slices so turn in the slices alone.

    Args:
        patch_size: H, W and D in voxels.
        spacing: size of a voxel along H, W and D in mm.
        rotation: largest angle about each axis in degrees, either way.
        scale: largest change of size, as a share of it.
        shift: largest shift along each axis, as a share of the patch, either way.
        gamma: smallest and largest exponent of the image's values, between their smallest and largest.
        noise: largest standard deviation of noise that is added to the image.
        keys: image and label, (C, H, W, D). Labels take the nearest voxel.

    Raises:
        ValueError: not three sizes and spacings, or a number that has no meaning.
    """
    if len(patch_size) != SPATIAL_DIMS or len(spacing) != SPATIAL_DIMS:
        raise ValueError(f"patch_size is {list(patch_size)} and spacing {list(spacing)}; both must have three sizes")
    for name, value, most in (
        ("rotation", rotation, 180),
        ("scale", scale, 0.9),
        ("shift", shift, 1),
        ("noise", noise, 1),
    ):
        check_number(name, value, 0, most)
    check_range("gamma", gamma, 0.01)
    others = [[size for place, size in enumerate(spacing) if place != axis] for axis in range(SPATIAL_DIMS)]
    names = [str(key) for key in ensure_tuple(keys)]
    return Compose(
        [
            RandAffined(
                names,
                prob=1.0,
                rotate_range=[math.radians(rotation) if max(both) < THICK * min(both) else 0.0 for both in others],
                scale_range=[scale] * SPATIAL_DIMS,
                translate_range=[shift * size for size in patch_size],
                mode=[MODES.get(name, MODES[IMAGE]) for name in names],
                padding_mode="zeros",
            ),
            RandAdjustContrastd(IMAGE, prob=1.0, gamma=tuple(gamma)),  # type: ignore[arg-type] # of two
            RandGaussianNoised(IMAGE, prob=1.0, std=noise),
        ]
    )


def _check_ends(name: str, ends: Sequence[float], least: float = -math.inf, most: float = math.inf) -> None:
    """Raise ValueError if these are not two numbers in a range, the lower first."""
    numbers = [end for end in ends if is_number(end) and math.isfinite(end)]
    if len(ends) != 2 or len(numbers) != 2 or not least <= numbers[0] < numbers[1] <= most:  # noqa: PLR2004 - low and high
        within = f" from {least} to {most}" if math.isfinite(most) else ""
        raise ValueError(f"{name} is {list(ends)}; it must be two numbers{within}, the lower first")
