"""Levels of networks for volumes: which axes are halved where, and how wide kernels are, from size and spacing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from calib_monai.arguments import check_above_zero, check_whole
from calib_monai.networks.options import check_list

LEAST_SIZE = 4  # voxels along an axis that may be left
ALONE = 3  # a single axis is halved only while it has this many times as many
SIMILAR = 2  # spacings that differ by a smaller factor count as alike
DIMENSIONS = 3


class Levels(NamedTuple):
    """The levels of a network for volumes, the finest first.

    Attributes:
        kernels: size of the kernels in each level, for example (3, 3, 1).
        strides: what divides the size on the way into each level: 1 or 2 along each axis, and 1 in the first level.
    """

    kernels: list[tuple[int, ...]]
    strides: list[tuple[int, ...]]


def levels_of(img_size: Sequence[int], spacing: Sequence[float]) -> Levels:
    """The levels for patches of a size and a spacing, by the rule of nnU-Net (Isensee et al. 2021).

    An axis is halved while at least 4 voxels are left and its spacing is less than twice the finest one of the axes
    that can be halved. So the coarse axis of thick slices is halved later than the others, or never. A single axis is
    halved only while it has 12 voxels. A kernel is 1 along an axis until the spacing there is less than twice the
    finest one, and 3 from then on. (nnU-Net pads a patch whose size becomes odd; here it is refused.)

    Args:
        img_size: H, W and D of the patches in voxels.
        spacing: size of a voxel along H, W and D in mm.

    Raises:
        ValueError: another number of values, sizes that are no whole numbers from 1 on or become odd where they are to
            be halved, or spacings that are not above 0.

    Examples:
        >>> levels_of([32, 32, 8], [1.0, 1.0, 4.0]).strides
        [(1, 1, 1), (2, 2, 1), (2, 2, 1), (2, 2, 2)]
        >>> levels_of([32, 32, 8], [1.0, 1.0, 4.0]).kernels
        [(3, 3, 1), (3, 3, 1), (3, 3, 3), (3, 3, 3)]
    """
    for name, values in (("img_size", img_size), ("spacing", spacing)):
        check_list(name, values, DIMENSIONS)
    for size in img_size:
        check_whole("a number in img_size", size, 1)
    for distance in spacing:
        check_above_zero("a number in spacing", distance)
    sizes, distances = list(img_size), list(spacing)
    kernels, strides = [_kernel(distances)], [(1,) * DIMENSIONS]
    while halved := _halved(sizes, distances):
        for axis in halved:
            if sizes[axis] % 2:
                multiple = img_size[axis] // sizes[axis] * 2
                raise ValueError(
                    f"img_size is {list(img_size)}, and {img_size[axis]} is halved until {sizes[axis]}, which is odd: "
                    f"it must be a multiple of {multiple}, as {-(-img_size[axis] // multiple) * multiple}"
                )
            sizes[axis] //= 2
            distances[axis] *= 2
        strides.append(tuple(2 if axis in halved else 1 for axis in range(DIMENSIONS)))
        widest = _kernel(distances)
        kernels.append(tuple(map(max, kernels[-1], widest)))
    return Levels(kernels, strides)


def _halved(sizes: Sequence[int], spacing: Sequence[float]) -> list[int]:
    """The axes that the next level halves."""
    large = [axis for axis in range(DIMENSIONS) if sizes[axis] >= 2 * LEAST_SIZE]
    finest = min((spacing[axis] for axis in large), default=0)
    halved = [axis for axis in large if spacing[axis] < SIMILAR * finest]
    if len(halved) == 1 and sizes[halved[0]] < ALONE * LEAST_SIZE:
        return []
    return halved


def _kernel(spacing: Sequence[float]) -> tuple[int, ...]:
    """3 along the axes whose spacing is like the finest one, 1 along the others."""
    return tuple(3 if distance < SIMILAR * min(spacing) else 1 for distance in spacing)
