"""Same images: tells cases with the same voxels, whatever their names and files are."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b

import numpy as np
from torch import Tensor

from calib_monai.datalists.splits import Case
from calib_monai.processes import is_first_process

MOST_VOXELS = 2**18  # of an image that are compared

logger = logging.getLogger(__name__)


def digest_of(image: Tensor) -> bytes:
    """What is the same for two images (C, H, W[, D]) if their voxels are; nothing for an image of one value.

    Of a large image it is made of the voxels of a regular grid: scans that agree in all of them are copies.
    """
    step = max(1, math.ceil((image.numel() / MOST_VOXELS) ** (1 / (image.ndim - 1))))
    sample = image
    for axis in range(1, image.ndim):
        sample = sample.movedim(axis, 0)[::step].movedim(0, axis)
    if sample.numel() == 0 or (sample == sample.flatten()[0]).all():
        return b""
    shape = repr(tuple(image.shape)).encode()
    return blake2b(shape + np.ascontiguousarray(sample.numpy()).tobytes(), digest_size=16).digest()


def check_same_images(sets: Mapping[str, Sequence[Case]], digests: Sequence[bytes], *, apart: bool) -> None:
    """Raise ValueError if cases of two sets have the same image; warn, in one line, of copies that stay.

    Results on an image that was trained on say too much.

    Args:
        sets: the cases by set.
        digests: of each case, in order, as `digest_of`.
        apart: whether copies may be in two sets, because an option says so or the training is over.
    """
    first: dict[bytes, tuple[str, Case]] = {}
    copies: list[tuple[bool, str]] = []  # whether they are in one set
    placed = ((name, case) for name, cases in sets.items() for case in cases)
    for (name, case), digest in zip(placed, digests, strict=True):
        other_name, other = first.setdefault(digest, (name, case)) if digest else (name, case)
        if other is not case:
            told = f"the image of {case['case']} ({name}) is that of {other['case']} ({other_name})"
            copies.append((name == other_name, told))
    if not copies:
        return
    together, said = min(copies)
    if not (together or apart):
        raise ValueError(
            f"{said}: remove one, or keep both in one set by --split or by a patient, for results on an image that was "
            "trained on say too much"
        )
    if is_first_process():
        logger.warning("%d case(s) are copies of others: %s", len(copies), said)
