"""Labels inside out: tells those in which background and structures seem to be exchanged."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import torch
from torch import Tensor

from calib_monai.processes import is_first_process

MOSTLY = 0.5  # of the voxels of a label
NEARLY_ALL = 0.9  # of those at its border
FEW = 0.1  # of the labels, or one: tiles of slides and large organs fill more of them

logger = logging.getLogger(__name__)


def is_inside_out(label: Tensor, ignore_index: int | None = None) -> bool:
    """Whether a label shows structures in most of its voxels, and at nearly all of the border of its slices.

    Args:
        label: (1, H, W[, D]), slices along the last axis of a volume.
        ignore_index: a label that is no class, or None.
    """
    values = label[0]
    whole = _shown(values, ignore_index)
    if whole <= MOSTLY:
        return False
    edges = [values[0], values[-1], values[1:-1, 0], values[1:-1, -1]]
    return _shown(torch.cat([edge.flatten() for edge in edges]), ignore_index) > NEARLY_ALL


def _shown(values: Tensor, ignore_index: int | None) -> float:
    """The share of the voxels that show a structure, of those that are not ignored."""
    counted = values.numel() if ignore_index is None else int((values != ignore_index).sum())
    background = int((values == 0).sum())
    return (counted - background) / max(counted, 1)


def tell_inside_out(found: Mapping[str, bool]) -> None:
    """Warn, in one line, of a few labels that are inside out where the others are not.

    Args:
        found: whether a label is, as `is_inside_out`, by its case.
    """
    odd = [case for case, is_so in found.items() if is_so]
    if 0 < len(odd) <= max(1, FEW * len(found)) < len(found) and is_first_process():
        logger.warning(
            "%d of %d label(s), first that of %s, show structures in most of their voxels and at most of their border, "
            "and the others do not: are background and structure exchanged?",
            *(len(odd), len(found), odd[0]),
        )
