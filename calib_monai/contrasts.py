"""Contrasts: tells images that have few voxels of extreme values, beside which all others become one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from monai.transforms import NormalizeIntensityd, ScaleIntensityd
from torch import Tensor

from calib_monai.case_keys import IMAGE
from calib_monai.composed import flattened
from calib_monai.processes import is_first_process
from calib_monai.windows import may_change_values

FEW = 0.001  # of the voxels, at each end, that may be extreme: a structure of interest has more
# Shares of the range of an image, which the other voxels must fill. Metal in MR or an injected vessel is 20 times as
# bright as the tissue, which leaves that 0.05. A byte has steps of 0.004: tissue that fills 0.01 is in three of them. A
# volume of 16 bits has steps of 0.000015, so tissue that fills 0.0001 would be in seven: no scanner makes that, and the
# noise of a network's first weights is larger.
LEAST_FILLED, USUALLY_FILLED = 0.0001, 0.01
# Times the width of the other values, which lie at 0 or above, that a value below 0 may lie beneath them. A structure
# may be far brighter than others, but none is darker than background: such a value is a mark for voxels without signal.
FAR_BELOW = 2
SAMPLED = 100_000  # voxels that are looked at first, of which 100 are the FEW

logger = logging.getLogger(__name__)


class Scaling(NamedTuple):
    """A scaling of images that depends on all their values: of each channel for itself, or of all channels together."""

    channel_wise: bool


class Narrow(NamedTuple):
    """The values of nearly all voxels that are no background, as a share of the range of an image, and what is far."""

    low: float
    high: float
    share: float
    extreme: float


def scaling_of(steps: Sequence[Any]) -> Scaling | None:
    """The scaling to the lowest and highest value, or to the standard deviation; None if another change comes before.

    Args:
        steps: transforms of a case, from the loaded image on.
    """
    for step in steps:
        if isinstance(step, ScaleIntensityd) and IMAGE in step.keys:
            return Scaling(bool(step.scaler.channel_wise)) if step.scaler.minv is not None else None
        if isinstance(step, NormalizeIntensityd) and IMAGE in step.keys:
            return Scaling(bool(step.normalizer.channel_wise)) if step.normalizer.divisor is None else None
        if may_change_values(step):
            return None
    return None


def scaling_after(loading: Callable[..., Any], transforms: Callable[..., Any]) -> Scaling | None:
    """The scaling in the transforms of a case, of which those of its loading come first.

    Args:
        loading: transforms from the files to an image.
        transforms: transforms from the files to the input of the network.
    """
    return scaling_of(flattened(transforms)[len(flattened(loading)) :])


def check_contrast(image: Tensor, files: Sequence[str], name: str, scaling: Scaling | None) -> None:
    """Raise ValueError if few voxels are so extreme that the others become one value; warn if they nearly do.

    Args:
        image: (C, H, W[, D]), finite, as loaded.
        files: of the image; as many as there are channels if each is a file.
        name: of the image, for messages.
        scaling: of its values for the network; without one nothing is checked.
    """
    if scaling is None:
        return
    parts = torch.split(image, 1) if scaling.channel_wise else (image,)
    names = files if len(files) == len(parts) else [name] * len(parts)
    for told, part in zip(names, parts, strict=True):
        narrow = _narrow(part.flatten())
        if narrow is None:
            continue
        seen = (
            f"{told} has voxel(s) of {narrow.extreme:g}, and nearly all that are not background lie between "
            f"{narrow.low:g} and {narrow.high:g}"
        )
        if narrow.share < LEAST_FILLED:
            raise ValueError(
                f"{seen}, less than {LEAST_FILLED:.2%} of the range from which the image is scaled: they would become "
                "one value, so replace the extreme voxels"
            )
        if is_first_process():
            words = "of the range from which the image is scaled: are the extreme voxels true?"
            logger.warning("%s, %.2g %% %s", seen, 100 * narrow.share, words)


def _narrow(values: Tensor) -> Narrow | None:
    """The values of nearly all voxels if the range is far wider, else None; most images tell by a sample.

    The most frequent value, which may be background or padding, is left out. Two values alone are a mask.
    """
    low, high = (end.item() for end in torch.aminmax(values))
    found = None
    for some in _samples(values):
        ordered = some.sort().values
        different, counts = torch.unique_consecutive(ordered, return_counts=True)
        others = ordered[ordered != different[counts.argmax()]]
        skipped = int(FEW * len(others))
        first, last = (others[place].item() for place in (skipped, -1 - skipped)) if len(others) else (low, low)
        share = (last - first) / (high - low) if first != last else 1.0
        far_below = low < 0 <= first and first - low > FAR_BELOW * (last - first) > 0
        if share >= USUALLY_FILLED and not far_below:
            return None
        found = Narrow(first, last, share, low if first - low > high - last else high)
    return found


def _samples(values: Tensor) -> Iterator[Tensor]:
    """Some of the values, drawn at random but always the same, and then all of them."""
    if len(values) > SAMPLED:
        yield values[torch.randint(len(values), (SAMPLED,), generator=torch.Generator().manual_seed(0))]
    yield values
