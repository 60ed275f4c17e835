"""Same images: tells cases that are copies of one another, whatever their names are."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from hashlib import blake2b

import numpy as np
from torch import Tensor

from calib_monai.datalists.splits import Case
from calib_monai.processes import is_first_process

logger = logging.getLogger(__name__)


def digest_of(image: Tensor) -> bytes:
    """What is the same for images (C, H, W[, D]) of the same voxels alone; nothing for an image of one value."""
    if image.numel() == 0 or (image == image.flatten()[0]).all():
        return b""
    voxels = np.ascontiguousarray(image.numpy())
    return blake2b(voxels.view(np.uint8).data, digest_size=16, person=str(voxels.shape).encode()[:16]).digest()


def check_same_images(sets: Mapping[str, Sequence[Case]], digests: Sequence[bytes], *, apart: bool) -> None:
    """Raise ValueError if cases of two sets have the same image; warn, in one line, of copies that stay.

    Results on an image that was trained on say too much.

    Args:
        sets: the cases by set.
        digests: of each case, in order, as `digest_of`.
        apart: whether copies may be in two sets, because the user says which cases are in which.
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
            f"{said}: remove one, or tell by --split or by a patient which cases belong together, for results on an "
            "image that was trained on say too much"
        )
    if is_first_process():
        logger.warning("%d case(s) are copies of others: %s", len(copies), said)
