"""Random views: move each image of a batch by an affine map of its own, and change its intensities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from calib_monai.arguments import check_number, check_range, check_whole
from calib_monai.views import intensity
from calib_monai.views.affine import IMAGE_DIMS, affine_matrices, recovered, warp

SEEDS = 2**62
LEAST_FACTOR = 0.01  # the smallest factor of size and the smallest exponent; 0 has no meaning
SMALL: dict[str, Any] = {
    "probability": 1.0,
    "rotation": 5.0,
    "translation": 2.0,
    "scale": (0.95, 1.05),
    "shear": 2.0,
    "gamma": (0.8, 1.25),
    "intensity_scale": (0.95, 1.05),
    "intensity_shift": 0.05,
    "blur": 0,
    "sharpen": (0.0, 0.0),
    "noise": (0.0, 0.02),
}  # arguments of `SmallViews`


class View(NamedTuple):
    """Changed images, (B, C, H, W[, D]), and the maps that moved them, (B, 3, 3), float64, on the CPU."""

    image: Tensor
    matrices: Tensor

    def labels(self, label: Tensor) -> Tensor:
        """Labels (B, 1, H, W[, D]) moved like their images, by the nearest pixel; 0 outside the image."""
        return warp(label.as_subclass(Tensor).float(), self.matrices, mode="nearest").to(label.dtype)

    def back(self, logits: Tensor) -> Tensor:
        """Logits of the view resampled to the grid of the images, bilinear, (B, K, H, W[, D]), at least float32.

        Args:
            logits: (B, K, H, W[, D]), with the size of the view.

        Raises:
            ValueError: another batch size, H, W or D.
        """
        if logits.shape[0] != len(self.image) or logits.shape[2:] != self.image.shape[2:]:
            raise ValueError(
                f"logits are {tuple(logits.shape)} and the view is {tuple(self.image.shape)}; only channels may differ"
            )
        single = logits if logits.dtype in (torch.float32, torch.float64) else logits.float()
        return warp(single, self.matrices.inverse())

    def valid(self) -> Tensor:
        """Mask of the pixels that `back` computes only from inside the view and the images, (B, 1, H, W[, D])."""
        return recovered(self.image, self.matrices)


class RandomViews:
    """A random view of each image of a batch: affine map, gamma, scale and shift, blur, sharpening, noise.

    Each of these, and each of the four parts of the map, is applied to an image with the same probability. All draws
    come from torch's generator on the CPU, which `monai.utils.set_determinism` seeds. They are the same for images on a
    GPU, except for the noise. The ranges are those of BWCR (Karani et al. 2023, arXiv:2307.08163).

    To leave out a part, give it an empty range: a rotation of 0, a gamma of (1, 1), a noise of (0, 0).

    If values lie outside [0, 1], the range of a channel is used instead: from its smallest value, or 0 if this is
    smaller, to its largest value, or 1 if this is larger. Pixels outside the image have the lower end of the range.

    Args:
        probability: probability of each change.
        rotation: largest angle in degrees, either way.
        translation: largest shift in pixels along each axis, either way.
        scale: smallest and largest factor of size.
        shear: largest angle in degrees along each axis, either way.
        gamma: smallest and largest exponent.
        intensity_scale: smallest and largest factor of the values.
        intensity_shift: largest number added to the values, either way.
        blur: largest radius of a Gaussian in pixels, also for the two Gaussians of sharpening.
        sharpen: smallest and largest amount of `calib_monai.views.intensity.sharpen`.
        noise: smallest and largest standard deviation.

    Raises:
        ValueError: a probability outside [0, 1], a range that is empty or reaches where it has no meaning.

    Note:
        The authors' code draws one map for a whole batch. The paper, and this class, draw one for each image. The
        authors' code rounds its draws to two decimals, and draws all intensities anew if a constant image gave NaN.
        Here a constant image is not stretched to [0, 1], so there is no NaN.
    """

    def __init__(
        self,
        probability: float = 0.5,
        rotation: float = 20.0,
        translation: float = 10.0,
        scale: Sequence[float] = (0.75, 1.25),
        shear: float = 5.0,
        gamma: Sequence[float] = (0.5, 2.0),
        intensity_scale: Sequence[float] = (0.9, 1.1),
        intensity_shift: float = 0.1,
        blur: int = 4,
        sharpen: Sequence[float] = (0.1, 0.3),
        noise: Sequence[float] = (0.01, 0.1),
    ) -> None:
        for name, value, most in (
            ("probability", probability, 1),
            ("rotation", rotation, 180),
            ("translation", translation, math.inf),
            ("shear", shear, 45),
            ("intensity_shift", intensity_shift, math.inf),
        ):
            check_number(name, value, 0, most)
        for name, ends, least in (
            ("scale", scale, LEAST_FACTOR),
            ("gamma", gamma, LEAST_FACTOR),
            ("intensity_scale", intensity_scale, 0),
            ("sharpen", sharpen, 0),
            ("noise", noise, 0),
        ):
            check_range(name, ends, least)
        check_whole("blur", blur, 0)
        self.probability = probability
        self.rotation = rotation
        self.translation = translation
        self.scale = scale[0], scale[1]
        self.shear = shear
        self.gamma = gamma[0], gamma[1]
        self.intensity_scale = intensity_scale[0], intensity_scale[1]
        self.intensity_shift = intensity_shift
        self.blur = blur
        self.sharpen = sharpen[0], sharpen[1]
        self.noise = noise[0], noise[1]

    @torch.no_grad()
    def __call__(self, images: Tensor) -> View:
        """A view of each image.

        A volume is moved and blurred in its slices along the last axis, all of them alike.

        Args:
            images: (B, C, H, W[, D]), float, H and W larger than `blur`.

        Raises:
            ValueError: another shape, a smaller image, or integers.
        """
        least = max(self.blur, 1) + 1
        right = images.ndim in (IMAGE_DIMS, IMAGE_DIMS + 1) and images.is_floating_point()
        if not right or min(images.shape[2:4]) < least:
            raise ValueError(
                f"images are {tuple(images.shape)}, {images.dtype}; they must be (B, C, H, W[, D]), float, with H and "
                f"W from {least} on"
            )
        values = images.as_subclass(Tensor).float()
        low, high = intensity.ends(values)
        low, width = low.clamp(max=0), high.clamp(min=1) - low.clamp(max=0)
        matrices = self.draw_matrices(len(images))
        changed = self.change_intensities(warp((values - low) / width, matrices))
        return View(torch.addcmul(low, changed, width).to(images.dtype), matrices)

    def draw_matrices(self, count: int) -> Tensor:
        """Draw `count` affine maps, (count, 3, 3), as `calib_monai.views.affine.affine_matrices` makes them."""
        return affine_matrices(
            rotation=self._draw(count, -self.rotation, self.rotation),
            translation=self._draw(count, -self.translation, self.translation, axes=2),
            scale=self._draw(count, *self.scale, otherwise=1),
            shear=self._draw(count, -self.shear, self.shear, axes=2),
        )

    def change_intensities(self, images: Tensor) -> Tensor:
        """Change the intensities of images (B, C, H, W[, D]) with values in [0, 1]."""
        count = len(images)
        images = intensity.gamma(images, self._draw(count, *self.gamma, otherwise=1))
        both = self._applied(count)
        scale = torch.where(both, _uniform(count, *self.intensity_scale), 1)
        shift = torch.where(both, _uniform(count, -self.intensity_shift, self.intensity_shift), 0)
        images = intensity.scale_and_shift(images, scale, shift)
        images = intensity.blur(images, self._applied(count) * self._radii(count))
        amount = self._draw(count, *self.sharpen)
        radius, again = ((amount > 0) * self._radii(count) for _ in range(2))
        images = intensity.sharpen(images, amount, radius, again)
        return intensity.noise(images, self._draw(count, *self.noise), int(torch.randint(SEEDS, ())))

    def _applied(self, count: int) -> Tensor:
        """Draw whether a change is applied to each image, (count,), bool."""
        return torch.rand(count) < self.probability

    def _radii(self, count: int) -> Tensor:
        """Draw radii of Gaussians, (count,)."""
        return torch.randint(self.blur + 1, (count,))

    def _draw(self, count: int, low: float, high: float, otherwise: float = 0, axes: int | None = None) -> Tensor:
        """Draw numbers from low to high, (count[, axes]); images without the change get `otherwise`."""
        shape = (count,) if axes is None else (count, axes)
        applied = self._applied(count).view(count, *[1] * (len(shape) - 1))
        return torch.where(applied, _uniform(shape, low, high), otherwise)


def _uniform(shape: int | tuple[int, ...], low: float, high: float) -> Tensor:
    """Random numbers from low to high."""
    return low + (high - low) * torch.rand(shape)


class SmallViews(RandomViews):
    """Random views that change every image a little, as another scan of the same patient might be.

    Args:
        changed: arguments of `RandomViews`; the others are those of `SMALL`.
    """

    def __init__(self, **changed: Any) -> None:
        super().__init__(**{**SMALL, **changed})
