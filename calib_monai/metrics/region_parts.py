"""The voxels of several overlapping regions, each selected once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from calib_monai.metrics.inputs import check_probs
from calib_monai.regions import Everywhere, Region, places


class Part(NamedTuple):
    """The voxels of an image that lie in these regions and in no other.

    Attributes:
        regions: one or more.
        probs: probabilities of the N voxels, (C, N).
        labels: their class indices, (N,).
    """

    regions: frozenset[Region]
    probs: Tensor
    labels: Tensor


def parts(
    regions: Sequence[Region],
    probs: Tensor,
    labels: Tensor,
    ignored: Tensor | None = None,
    whole: Tensor | None = None,
) -> list[list[Part]]:
    """For each image the parts into which regions divide it. The region of all voxels is a part of its own.

    Args:
        regions: the regions, each once.
        probs: probabilities, (B, C, H, W[, D]).
        labels: class indices, (B, 1, H, W[, D]).
        ignored: voxels that are in no region, (B, 1, H, W[, D]), bool.
        whole: the images of which these are pieces, (B, C, H, W[, D]); by default they are whole.

    Returns:
        Lists of parts. A region without voxels has an empty part.

    Raises:
        ValueError: values that are no probabilities.
    """
    everywhere = frozenset(region for region in regions if isinstance(region, Everywhere) and ignored is None)
    selected = [region for region in regions if region not in everywhere]
    codes = torch.zeros_like(labels, dtype=torch.int64 if len(selected) > 8 else torch.uint8)  # noqa: PLR2004 - bits
    for bit, region in enumerate(selected):
        codes.add_(region.mask(labels, probs, ignored), alpha=2**bit)
    found = []
    for image, classes, code in zip(probs.flatten(2), labels.flatten(1), codes.flatten(1), strict=True):
        of_image = [Part(everywhere, image, classes)] if everywhere else []
        of_image += _selected(selected, image, classes, code) if selected else []
        found.append(of_image)
    for image, all_of_it, of_image in zip(probs, probs if whole is None else whole, found, strict=True):
        for part in of_image:
            check_probs(part.probs, image, all_of_it)
    return found


def _selected(regions: Sequence[Region], image: Tensor, labels: Tensor, code: Tensor) -> list[Part]:
    """The parts of an image (C, N) whose voxels have a code (N,): bit k is set in region k."""
    inside = places(code.bool())
    codes = code.index_select(0, inside)
    found = []
    for number in codes.bincount(minlength=1).nonzero().flatten().tolist():
        place = inside[places(codes == number)]
        members = frozenset(region for bit, region in enumerate(regions) if number >> bit & 1)
        found.append(Part(members, image.index_select(1, place), labels.index_select(0, place)))
    empty = frozenset(regions).difference(*(part.regions for part in found))
    return found + ([Part(empty, image[:, :0], labels[:0])] if empty else [])
