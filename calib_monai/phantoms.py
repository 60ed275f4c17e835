"""Phantoms: small volumes with touching structures whose borders are truly ambiguous.

The image is blurred and noisy, and the label is one reader's opinion: its border wanders around the
true one along a smooth random field, within a band where no reader could know. A network that
learns the image well cannot be right there more often than the band allows, so a confident network
is an overconfident one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from calib_monai.arguments import check_whole

SHAPE = (35, 50, 35)
SHAPE_JITTER = 3
TISSUE = (0.35, 0.75, 0.6, 0.85, 0.5, 0.7, 0.9, 0.55, 0.65)  # mean intensity of the background and of each class
LENGTH = 30  # voxels along y that the structures share
BLUR = 1.2  # voxels, of the image
NOISE = 0.09  # standard deviation of the image
WANDER = 0.7  # voxels, standard deviation of the reader's border
SMOOTHNESS = 2.5  # voxels, of the field along which it wanders


class Phantom(NamedTuple):
    """An image (H, W, D), float32, and its label (H, W, D) of classes 0..C-1, uint8."""

    image: NDArray[np.float32]
    label: NDArray[np.uint8]


def make_phantoms(num_cases: int, seed: int = 0, num_classes: int = 3) -> dict[str, Phantom]:
    """Phantoms by name, the same ones for the same seed.

    Args:
        num_cases: how many.
        seed: of all of them.
        num_classes: C, background included, 2 to 9.

    Raises:
        ValueError: `num_cases` below 1, or another `num_classes`.
    """
    check_whole("num_cases", num_cases, 1)
    check_whole("num_classes", num_classes, 2, len(TISSUE))
    streams = np.random.SeedSequence(seed).spawn(num_cases)
    return {f"phantom_{i:03d}": make_phantom(np.random.default_rng(s), num_classes) for i, s in enumerate(streams)}


def make_phantom(rng: np.random.Generator, num_classes: int = 3) -> Phantom:
    """One phantom: a bent ellipsoid, cut across y into parts, class 1 in front, where y is highest."""
    shape = tuple(int(size + rng.integers(-SHAPE_JITTER, SHAPE_JITTER + 1)) for size in SHAPE)
    outside, cut = _geometry(shape, rng)
    truth = _labels(outside, cut, num_classes)
    image = gaussian_filter(np.take(TISSUE, truth), BLUR)
    image += 0.08 * _field(shape, 8.0, rng) + NOISE * rng.standard_normal(shape)
    wander = [WANDER * _field(shape, SMOOTHNESS, rng) for _ in range(2)]
    reader = _labels(outside + wander[0], cut + wander[1], num_classes)
    scale = 10 ** rng.uniform(2, 4)  # scanners do not agree on a unit
    return Phantom((scale * np.clip(image, 0, None)).astype(np.float32), reader)


def _geometry(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance outside the ellipsoid's surface and behind the plane that cuts it, in voxels."""
    axes = [np.arange(size) - size / 2 - rng.uniform(-2, 2) for size in shape]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    bend = rng.uniform(-0.012, 0.012)
    radii = np.array([7.5, 17.0, 6.5]) * rng.uniform(0.85, 1.15, 3)
    inside = ((x - bend * y**2) / radii[0]) ** 2 + (y / radii[1]) ** 2 + (z / radii[2]) ** 2 < 1
    # Distances between voxel centers; the surface lies half a voxel before the first center beyond it.
    outside = np.where(inside, 0.5 - distance_transform_edt(inside), distance_transform_edt(~inside) - 0.5)
    cut = y + rng.uniform(-0.3, 0.3) * x - rng.uniform(-3, 5)
    return outside, cut


def _labels(outside: NDArray[np.float64], cut: NDArray[np.float64], num_classes: int) -> NDArray[np.uint8]:
    """Classes of the two distances: as many parts as there are classes, evenly cut."""
    structures = num_classes - 1
    ends = (np.arange(1, structures) - structures / 2) * LENGTH / structures
    part = structures - (cut[..., None] > ends).sum(axis=-1)
    return np.where(outside > 0, 0, part).astype(np.uint8)


def _field(shape: tuple[int, ...], smoothness: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A smooth random field of standard deviation one."""
    field = gaussian_filter(rng.standard_normal(shape), smoothness)
    return np.asarray(field / field.std())
