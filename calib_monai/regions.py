"""Regions: the voxels of an image that a measure uses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from calib_monai.arguments import check_number, check_whole
from calib_monai.spelling import did_you_mean

PLAUSIBLE = 0.01  # lower probabilities count as 0, because softmax never gives exactly 0
SMALL = 1e-3  # below this 1 - p(background) is inaccurate, because p was rounded: the foreground is summed
POOLS = {2: torch.nn.functional.max_pool2d, 3: torch.nn.functional.max_pool3d}  # by the number of axes in space


@dataclass(frozen=True)
class Region(ABC):
    """The voxels of an image that a measure uses. Two regions with the same options are equal.

    A region is *proper* if it is defined without the label. Only in a proper region does a network with exact
    probabilities have no calibration error, up to sampling. A region that depends on the label selects voxels by their
    outcome: there even exact probabilities are wrong on average, and a network that over-segments may look better.

    Attributes:
        name: the name in `region_of` and in the names of metrics.
        proper: whether the region is defined without the label.
        of_network: whether it depends on the probabilities, so that two networks are measured on different voxels.
        by_voxel: whether a voxel's own probabilities and label decide, and no neighbor.
    """

    name: ClassVar[str]
    proper: ClassVar[bool]
    of_network: ClassVar[bool]
    by_voxel: ClassVar[bool] = False

    def mask(self, target: Tensor, probs: Tensor, ignored: Tensor | None = None) -> Tensor:
        """The voxels of the region, (B, 1, H, W[, D]), bool.

        Args:
            target: class indices, (B, 1, H, W[, D]).
            probs: probabilities, (B, C, H, W[, D]), of at least 2 classes.
            ignored: voxels that are in no region and no neighborhood, (B, 1, H, W[, D]), bool, independent of their
                label.
        """
        inside = self._inside(target, probs, ignored)
        return inside if ignored is None else inside & ~ignored

    @abstractmethod
    def _inside(self, target: Tensor, probs: Tensor, ignored: Tensor | None) -> Tensor:
        """The voxels of the region, which may hold ignored voxels."""


@dataclass(frozen=True)
class Plausible(Region):
    """Voxels in which the network gives all foreground classes together a probability of at least `at_least`.

    Args:
        at_least: from 0 to 1.

    Raises:
        ValueError: another `at_least`.
    """

    at_least: float = PLAUSIBLE
    name = "plausible"
    proper = True
    of_network = True
    by_voxel = True

    def __post_init__(self) -> None:  # noqa: D105 - its errors are the class's
        check_number("at_least", self.at_least, 0, 1)

    def _inside(self, target: Tensor, probs: Tensor, ignored: Tensor | None) -> Tensor:  # noqa: ARG002
        # NaN is inside: it is looked at, and so found.
        if self.at_least < SMALL:
            return ~(probs[:, 1:].sum(dim=1, keepdim=True, dtype=torch.float32) < self.at_least)
        return ~(probs[:, :1] > 1 - self.at_least)


@dataclass(frozen=True)
class Band(Region):
    """Voxels within `width` voxels of the predicted foreground, along each axis and its diagonals.

    Args:
        width: in voxels, a whole number of at least 0.

    Raises:
        ValueError: another `width`.
    """

    width: int = 3
    name = "band"
    proper = True
    of_network = True

    def __post_init__(self) -> None:  # noqa: D105 - its errors are the class's
        check_whole("width", self.width, 0)

    def _inside(self, target: Tensor, probs: Tensor, ignored: Tensor | None) -> Tensor:  # noqa: ARG002
        near = predicted_foreground(probs)
        near = (near if ignored is None else near & ~ignored).float()
        dims = probs.ndim - 2
        for axis in range(dims):
            reach = [self.width if other == axis else 0 for other in range(dims)]
            near = POOLS[dims](near, [1 + 2 * voxels for voxels in reach], stride=1, padding=reach)
        return near.bool()


class Everywhere(Region):
    """All voxels."""

    name = "all"
    proper = True
    of_network = False
    by_voxel = True

    def _inside(self, target: Tensor, probs: Tensor, ignored: Tensor | None) -> Tensor:  # noqa: ARG002
        return torch.ones_like(target, dtype=torch.bool)


class Foreground(Region):
    """Voxels whose label is not background, as in the papers."""

    name = "foreground"
    proper = False
    of_network = False
    by_voxel = True

    def _inside(self, target: Tensor, probs: Tensor, ignored: Tensor | None) -> Tensor:  # noqa: ARG002
        return target.bool()


class Union(Region):
    """Voxels whose label or most probable class is not background."""

    name = "union"
    proper = False
    of_network = True
    by_voxel = True

    def _inside(self, target: Tensor, probs: Tensor, ignored: Tensor | None) -> Tensor:  # noqa: ARG002
        return target.bool() | predicted_foreground(probs)


class Boundary(Region):
    """Voxels whose neighborhood of 3 x 3 (x 3) voxels holds more than one class."""

    name = "boundary"
    proper = False
    of_network = False

    def _inside(self, target: Tensor, probs: Tensor, ignored: Tensor | None) -> Tensor:  # noqa: ARG002
        return mixed_neighborhood(target, ignored)


REGIONS: dict[str, type[Region]] = {
    kind.name: kind for kind in (Plausible, Band, Everywhere, Foreground, Union, Boundary)
}


def region_of(region: str | Region) -> Region:
    """The region of this name with default options, or the given region itself.

    Raises:
        ValueError: a name that is not in `REGIONS`.
    """
    if isinstance(region, Region):
        return region
    if not isinstance(region, str) or region not in REGIONS:
        near = did_you_mean(str(region).lower(), REGIONS)
        raise ValueError(f"region is {region!r}; it must be one of {', '.join(REGIONS)}{near}")
    return REGIONS[region]()


def predicted_foreground(probs: Tensor) -> Tensor:
    """Mask of voxels whose most probable class is not background, (B, 1, H, W[, D]), bool; NaN counts as foreground.

    Args:
        probs: probabilities or logits, (B, C, H, W[, D]), of at least 2 classes.
    """
    # `argmax` takes many times as long. What is not "at most" may be NaN too: it is looked at, and so found.
    return ~(probs[:, 1:].amax(dim=1, keepdim=True) <= probs[:, :1])


def region_voxels(
    region: str | Region, target: Tensor, probs: Tensor, ignored: Tensor | None = None
) -> list[tuple[Tensor, Tensor]]:
    """For each image the probabilities (C, N) and labels (N,) of the N voxels of a region.

    Args:
        region: one of `calib_monai.regions`, or its name.
        target: class indices, (B, 1, H, W[, D]).
        probs: probabilities, (B, C, H, W[, D]).
        ignored: as in `Region.mask`.

    Raises:
        ValueError: an unknown region, something else than tensors, or shapes that do not fit.
    """
    region = region_of(region)
    if not (isinstance(target, Tensor) and isinstance(probs, Tensor)) or target.shape != probs[:, :1].shape:
        given = " and ".join(f"{type(one).__name__} {tuple(one.shape)}" for one in (target, probs))
        raise ValueError(f"target and probs are {given}; they must be tensors (B, 1, H, W[, D]) and (B, C, H, W[, D])")
    if isinstance(region, Everywhere) and ignored is None:
        return list(zip(probs.flatten(2), target.flatten(1), strict=True))
    found = map(places, region.mask(target, probs, ignored))
    images = zip(probs.flatten(2), target.flatten(1), found, strict=True)
    return [(image.index_select(1, place), labels.index_select(0, place)) for image, labels, place in images]


def places(mask: Tensor) -> Tensor:
    """The flat places at which a mask is true, (N,); NumPy skips empty parts, and torch does not."""
    if mask.device.type == "cpu":
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return mask.flatten().nonzero().squeeze(1)


def mixed_neighborhood(target: Tensor, ignored: Tensor | None = None) -> Tensor:
    """Mask of voxels whose window of 3 x 3 (x 3) voxels holds more than one class, (B, 1, H, W[, D]), bool.

    Voxels beyond the edge do not count.

    Args:
        target: class indices, (B, 1, H, W[, D]).
        ignored: voxels that do not count, either, (B, 1, H, W[, D]), bool.
    """
    pool = POOLS[target.ndim - 2]
    least = torch.finfo(torch.float32).min  # of a window without a voxel that counts, where highest is below lowest

    def highest(labels: Tensor) -> Tensor:
        counted = labels if ignored is None else labels.masked_fill(ignored, least)
        return pool(counted, 3, stride=1, padding=1)

    return highest(target.float()) > -highest(-target.float())
