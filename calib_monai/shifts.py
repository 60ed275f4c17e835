"""Shifts: images that are worse than those of the training, or of another scanner, in three strengths of each kind."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import (
    AdjustContrast,
    Compose,
    GaussianSmooth,
    MapTransform,
    RandBiasField,
    RandGaussianNoise,
    Resize,
    ScaleIntensity,
    Zoom,
)
from torch import Tensor

from calib_monai.case_keys import IMAGE
from calib_monai.spelling import did_you_mean

NONE = "none"
NAME = re.compile(r"([a-z_]+)_([0-9]+(?:\.[0-9]+)?)")


def disturbed(shift: str = NONE) -> Compose:
    """Makes "image" worse than the images of the training, after its preparation.

    Args:
        shift: a kind of `Shiftd` and its strength, as "blur_2"; or "none".

    Raises:
        ValueError: an unknown shift, or a strength that changes nothing.
    """
    check_shift(shift)
    if shift == NONE:
        return Compose([])
    return Compose([Shiftd(IMAGE, *_parts(shift))])


def check_shift(shift: object) -> None:
    """Raise ValueError if `shift` is neither "none" nor a kind of shift with a strength that changes something."""
    if shift == NONE:
        return
    kind, strength = _parts(str(shift))
    if kind not in CHANGES:
        raise ValueError(
            f"shift is {shift!r}; it must be {NONE}, or one of {', '.join(CHANGES)} with its strength behind it, as "
            f"blur_2{did_you_mean(kind, CHANGES)}"
        )
    least = NO_CHANGE[kind]
    if strength <= least:
        raise ValueError(f"shift is {shift!r}; the strength of {kind} must be above {least}")


def _parts(shift: str) -> tuple[str, float]:
    """Kind and strength of a shift; no strength is 0."""
    found = NAME.fullmatch(shift)
    return (found[1], float(found[2])) if found else (shift, 0.0)


class Shiftd(MapTransform):
    """Changes images by MONAI's transforms as another scanner would.

    These are the kinds, and their strengths:

    * "noise": the standard deviation of Gaussian noise, over the range of the image.
    * "blur": the standard deviation of a Gaussian in slices, in pixels.
    * "bias_field": the largest coefficient of a random polynomial of degree 3; its exponential is a factor.
    * "gamma": the exponent of intensities from 0 to 1; above 1 images become darker.
    * "spacing": the size of the pixels of slices, over that before.

    But for "noise", each channel keeps its smallest and largest value, as if it had been scaled after the change. What
    is drawn follows from the name of the case, "case": it is the same in every run, so that networks are compared on
    the same images.

    Args:
        keys: images, (C, H, W[, D]).
        kind: one of the above.
        strength: of this kind.
    """

    def __init__(self, keys: KeysCollection, kind: str, strength: float) -> None:
        super().__init__(keys)
        self.kind = kind
        self.strength = strength

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data, with changed images."""
        changed = dict(data)
        random = np.random.RandomState(zlib.crc32(str(data.get("case")).encode()))
        for key in self.key_iterator(changed):
            channels = [self._changed(image[None], random) for image in changed[key]]
            changed[key] = changed[key].clone()
            for place, channel in enumerate(channels):
                changed[key][place] = channel[0]
        return changed

    def _changed(self, image: Tensor, random: np.random.RandomState) -> Any:
        """One channel (1, H, W[, D])."""
        low, high = image.min().item(), image.max().item()
        if low == high:
            return image
        worse: Any = CHANGES[self.kind]((image - low) / (high - low), self.strength, random)
        return worse * (high - low) + low if self.kind == "noise" else ScaleIntensity(low, high)(worse)


def _noise(image: Tensor, std: float, random: np.random.RandomState) -> Any:
    """The image with Gaussian noise."""
    noise = RandGaussianNoise(prob=1.0, std=std, sample_std=False)
    noise.set_random_state(state=random)
    return noise(image)


def _blur(image: Tensor, sigma: float, _: np.random.RandomState) -> Any:
    """The image, smoothed in slices."""
    return GaussianSmooth(_in_slices(image, sigma, 0.0))(image)


def _bias_field(image: Tensor, coefficient: float, random: np.random.RandomState) -> Any:
    """The image times a smooth random field, the exponential of a polynomial of degree 3."""
    field = RandBiasField(prob=1.0, coeff_range=(-coefficient, coefficient))
    field.set_random_state(state=random)
    return field(image)


def _gamma(image: Tensor, gamma: float, _: np.random.RandomState) -> Any:
    """The image to the power of gamma."""
    return AdjustContrast(gamma)(image)


def _spacing(image: Tensor, factor: float, _: np.random.RandomState) -> Any:
    """The image in slices of larger pixels, brought back to its grid."""
    coarse = Zoom(_in_slices(image, 1 / factor, 1.0), mode="area", keep_size=False)(image)
    return Resize(image.shape[1:], mode="bilinear" if image.ndim == 3 else "trilinear")(coarse)  # noqa: PLR2004 - H and W


def _in_slices(image: Tensor, value: float, across: float) -> list[float]:
    """A value for H and W of an image (1, H, W[, D]), and another for D."""
    return [value, value, across][: image.ndim - 1]


CHANGES: dict[str, Callable[[Tensor, float, np.random.RandomState], Any]] = {
    "noise": _noise,
    "blur": _blur,
    "bias_field": _bias_field,
    "gamma": _gamma,
    "spacing": _spacing,
}
NO_CHANGE = {"noise": 0, "blur": 0, "bias_field": 0, "gamma": 1, "spacing": 1}  # strengths that change nothing
