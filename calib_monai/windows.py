"""Windows of values: tells images in other units than those of the window that a bundle clips them to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from monai.transforms import Lambdad, ScaleIntensityRanged
from torch import Tensor

from calib_monai.case_keys import IMAGE
from calib_monai.composed import flattened
from calib_monai.processes import is_first_process

LEAST_CONTRAST = 0.05  # of a window, which the values of an image must fill; the noise of a CT alone fills more
LEAST_TISSUE = 0.005  # of the voxels of an image, that lie above the lower end: in a CT all that is not air
FAR = 2  # times the width of a window: an organ alone, without air and fat, has no value that far above
BYTES = 0, 255  # the ends of the values of a picture
MOST_ABOVE = 0.5  # of these, that lie above the upper end: in a CT bones and what was injected

logger = logging.getLogger(__name__)


class Window(NamedTuple):
    """The lowest and the highest value that an image keeps; all others become one of these."""

    low: float
    high: float

    def __str__(self) -> str:
        """Both in words."""
        return f"{self.low:g} to {self.high:g}"


def window_of(transforms: Callable[..., Any]) -> Window | None:
    """The window of a CT that transforms clip images to; None if there is none, or if values are changed before.

    Args:
        transforms: of a case on its way to the network.
    """
    for step in flattened(transforms):
        if isinstance(step, ScaleIntensityRanged) and IMAGE in step.keys:
            scaler = step.scaler
            is_of_ct = scaler.clip and scaler.a_min < 0  # of others nothing is known
            return Window(float(scaler.a_min), float(scaler.a_max)) if is_of_ct else None
        if may_change_values(step):
            return None
    return None


def may_change_values(step: Any) -> bool:
    """Whether a transform may change the values of an image otherwise than by moving its voxels."""
    module = type(step).__module__
    ours = module.startswith(("monai.transforms.", "calib_monai."))
    return not ours or module.startswith("monai.transforms.intensity.") or isinstance(step, Lambdad)


def doubt_of_units(image: Tensor, name: str, window: Window | None) -> str:
    """Why the values of an image seem to be in other units than a window; nothing if they do not, or without a window.

    The rules hold for CT in Hounsfield units, whole or cropped, with padding of any value, contrast and implants.

    Args:
        image: (C, H, W[, D]), finite.
        name: of the image, for the message.
        window: that its values are clipped to.

    Raises:
        ValueError: the window leaves the image no contrast.
    """
    if window is None:
        return ""
    low, high = (end.item() for end in torch.aminmax(image))
    first, last = (min(max(end, window.low), window.high) for end in (low, high))
    if last - first < LEAST_CONTRAST * (window.high - window.low):
        raise ValueError(
            f"{name} has values of {low:g} to {high:g}, which fill less than {LEAST_CONTRAST:.0%} of the window of "
            f"{window} to which they are clipped: needed are the units of the window, such as Hounsfield units"
        )
    values = f"with values of {low:g} to {high:g}"
    far_above = window.high + FAR * (window.high - window.low)
    if low >= 0 > window.low and (high > far_above or (low, high) == BYTES):
        return f"{values}: none is below 0, as those of air and fat are in Hounsfield units"
    tissue = (image > window.low).sum().item()
    if tissue < LEAST_TISSUE * image.numel():
        return f"{values}: nearly all lie below the window"
    # Without air, a crop may show nothing but contrast medium.
    if low <= window.low and (image > window.high).sum().item() > MOST_ABOVE * tissue:
        return f"{values}: most of those that are not below the window lie above it"
    return ""


def tell_doubted_units(doubts: Mapping[str, str], window: Window | None) -> None:
    """Warn, in one line, of images that seem to be in other units than the window that they are clipped to.

    Args:
        doubts: of each image by its case, as `doubt_of_units`.
        window: that the images are clipped to.
    """
    doubted = [case for case, why in doubts.items() if why]
    if doubted and is_first_process():
        logger.warning(
            "%d of %d image(s) look as if they were in other units than the window of %s to which they are clipped, "
            "first %s %s",
            *(len(doubted), len(doubts), window, doubted[0], doubts[doubted[0]]),
        )
