"""Intensities: functions that change the values of a batch, with numbers of its own for each image.

Images are (B, C, H, W[, D]) with values in [0, 1]. Volumes are blurred in their slices along the last axis. The numbers
are (B,). For each function one number changes nothing, so that one computation serves a batch in which some images stay
as they are.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

FLAT = 1e-4  # values that differ by no more count as constant, up to rounding


def gamma(images: Tensor, exponent: Tensor) -> Tensor:
    """Each value to the power of its image's exponent; 1 changes nothing."""
    return images ** _of_images(exponent, images)


def scale_and_shift(images: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Each value times a scale plus a shift; 1 and 0 change nothing."""
    return torch.addcmul(_of_images(shift, images), images, _of_images(scale, images))


def blur(images: Tensor, radius: Tensor) -> Tensor:
    """Images smoothed by Gaussians of 2 r + 1 pixels with a sigma of 0.15 (2 r + 1) + 0.35; r = 0 changes nothing.

    The image is mirrored at its edges.

    Args:
        images: (B, C, H, W[, D]), H and W larger than the largest radius.
        radius: r in pixels, whole numbers, (B,), on the CPU.
    """
    return _changed(images, radius > 0, lambda some, chosen: _smoothed(some, radius[chosen]))


def _smoothed(images: Tensor, radius: Tensor) -> Tensor:
    """Images smoothed as in `blur`, with all radii above 0."""
    widest = int(radius.max())
    offsets = torch.arange(-widest, widest + 1)
    radii = radius.view(-1, 1)
    sigma = 0.15 * (2 * radii + 1) + 0.35
    kernels = torch.exp(-((offsets / sigma) ** 2) / 2) * (offsets.abs() <= radii)
    kernels = (kernels / kernels.sum(dim=1, keepdim=True)).to(images, non_blocking=True)
    smoothed = pad(images, [0, 0] * (images.ndim - 4) + [widest] * 4, mode="reflect")
    for axis in (2, 3):
        size = images.shape[axis]
        first, *others = (_of_images(tap, images) for tap in kernels.T)
        total = smoothed.narrow(axis, 0, size) * first
        for place, tap in enumerate(others, start=1):
            total.addcmul_(smoothed.narrow(axis, place, size), tap)
        smoothed = total
    return smoothed


def sharpen(images: Tensor, amount: Tensor, radius: Tensor, again: Tensor) -> Tensor:
    """A blurred image plus `amount` times its difference from a second blur, stretched to [0, 1].

    An amount of 0 changes nothing: the image is neither blurred nor stretched.

    Args:
        images: (B, C, H, W[, D]).
        amount: (B,).
        radius: the radius of the first blur, as in `blur`.
        again: the radius of the second blur, as in `blur`.
    """

    def sharpened(some: Tensor, chosen: Tensor) -> Tensor:
        once = blur(some, radius[chosen])
        return spread(once + _of_images(amount[chosen], some) * (once - blur(once, again[chosen])))

    return _changed(images, amount > 0, sharpened)


def noise(images: Tensor, deviation: Tensor, seed: int) -> Tensor:
    """Images plus white noise, stretched to [0, 1]; a deviation of 0 changes nothing.

    Args:
        images: (B, C, H, W[, D]).
        deviation: standard deviation of the noise, (B,).
        seed: the seed of the noise. A CPU and a GPU make different noise from one seed.
    """

    def noisy(some: Tensor, chosen: Tensor) -> Tensor:
        generator = torch.Generator(some.device).manual_seed(seed)
        field = torch.randn(some.shape, generator=generator, dtype=some.dtype, device=some.device)
        return spread(torch.addcmul(some, _of_images(deviation[chosen], some), field))

    return _changed(images, deviation > 0, noisy)


def spread(images: Tensor) -> Tensor:
    """Each channel of each image stretched to [0, 1]; a constant channel stays as it is."""
    low, high = ends(images)
    width = high - low
    return torch.where(width > FLAT, (images - low) / width.clamp(min=FLAT), images)


def ends(images: Tensor) -> tuple[Tensor, Tensor]:
    """The smallest and the largest value of each channel of each image, (B, C, 1, 1[, 1])."""
    axes = tuple(range(2, images.ndim))
    return images.amin(dim=axes, keepdim=True), images.amax(dim=axes, keepdim=True)


def _changed(images: Tensor, which: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The images, with those that `which` (B,) selects changed; `change` takes these images and their places."""
    places = which.nonzero().squeeze(1)
    if len(places) == 0:
        return images
    here = places.to(images.device, non_blocking=True)
    return images.index_copy(0, here, change(images[here], places))


def _of_images(numbers: Tensor, images: Tensor) -> Tensor:
    """A number for each image (B,) as (B, 1, 1, 1[, 1]), on the images' device and in their type."""
    return numbers.to(images, non_blocking=True).view(-1, *[1] * (images.ndim - 1))
