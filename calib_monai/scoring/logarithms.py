"""Logarithms: tells logits from other logarithms of probabilities, and from logits that were clipped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import exp, log
from typing import NamedTuple

import torch
from torch import Tensor

from calib_monai.metrics.inputs import SUM_TOLERANCE

COARSE = 0.02  # a step between values that hides what they sum to
SOFT = 0.02  # a probability of another class than the first, without which each logarithm gives 0 and 1
MANY = 1e-3  # the share of voxels in which a channel is clipped
HARMLESS = 0.9999  # a probability that clipped logits may reach without a word

logger = logging.getLogger(__name__)


class Kind(NamedTuple):
    """Logarithms that are no logits: what they are called, how they become probabilities, and of how many classes.

    A voxel must show `least` classes: with two, opposite values are centered logits as well as log odds.
    """

    called: str
    made: Callable[[Tensor], Tensor]
    least: int = 2


KINDS = (
    Kind("logarithms of probabilities to the base 10", lambda values: (values * log(10)).exp_()),
    Kind("logarithms of probabilities to the base 2", torch.exp2),
    Kind("negative logarithms of probabilities", lambda values: values.neg().exp_()),
    Kind("log odds, one for each class,", torch.sigmoid, least=3),
)


def check_logarithms(name: str, values: Tensor, step: float) -> None:
    """Raise ValueError if what should be logits are logarithms of which the softmax gives other probabilities.

    Natural logarithms of probabilities are logits.

    Args:
        name: of the file.
        values: as they were stored, (C, X, Y, Z), of all classes.
        step: between two stored values near 1.
    """
    if len(values) < 2 or step > COARSE:  # noqa: PLR2004 - background and a structure
        return
    tolerance = len(values) * SUM_TOLERANCE + 2 * step
    if _sums_to_one(values, Kind("", torch.exp), tolerance):
        return
    for kind in KINDS:
        if len(values) >= kind.least and _sums_to_one(values, kind, tolerance):
            raise ValueError(
                f"{name} holds {kind.called} and no logits, as their sums tell: give the natural logarithms or, "
                "without --logits, the probabilities"
            )


def _sums_to_one(values: Tensor, kind: Kind, tolerance: float) -> bool:
    """Whether the probabilities of a kind sum to 1 in each voxel, and some voxel is not sure; voxels of 0 tell nothing.

    The first plane decides if the sums are others: that takes no time.
    """
    unsure = False
    for plane in values.unbind(1):
        probs = kind.made(plane)[:, (plane != 0).any(dim=0)]
        if ((probs.sum(dim=0) - 1).abs_() > tolerance).any():
            return False
        unsure = unsure or bool((probs.topk(kind.least, dim=0).values[-1] > SOFT).any())
    return unsure


def warn_of_clipped(name: str, logits: Tensor) -> bool:
    """Whether the log tells that logits look clipped: the least or greatest value is frequent in several channels.

    A part of an image in which nothing changes gives one channel its greatest value and another one its least.

    Args:
        name: of the file.
        logits: (C, X, Y, Z); of one structure alone the first channel is 0.
    """
    given = logits[1:] if len(logits) == 2 and not logits[0].any() else logits  # noqa: PLR2004
    low, high = (extreme.item() for extreme in given.aminmax())
    most = 1 / (1 + (len(logits) - 1) * exp(low - high)) if len(given) > 1 else 1 / (1 + exp(-max(high, -low)))
    if low == high or most > HARMLESS:
        return False
    least_count = MANY * given[0].numel()
    frequent = sum(int((channel == bound).sum()) > least_count for channel in given for bound in (low, high))
    if frequent <= min(len(given), 2):
        return False
    logger.warning(
        "%s holds %.4g and %.4g, its least and greatest logit, in many voxels: if it was clipped, no probability "
        "lies above %.4g",
        name,
        low,
        high,
        most,
    )
    return True
