"""Misplaced files: tells labels and channels that are those of another case, copied by mistake."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from calib_monai.processes import is_first_process

logger = logging.getLogger(__name__)


class CaseDigests(NamedTuple):
    """What tells the files of a case from those of others, as `calib_monai.same_images` makes it.

    Attributes:
        case: its name.
        image: of the image.
        channels: of each channel that is a file of its own; empty if one file has all.
        label: of the label; empty if it shows no structure.
    """

    case: str
    image: bytes
    channels: Sequence[bytes]
    label: bytes


def tell_misplaced(cases: Iterable[CaseDigests]) -> None:
    """Warn, in one line for each kind, of cases whose label or channel is that of a case with another image.

    Args:
        cases: all cases of a run.
    """
    known = list(cases)
    if not is_first_process():
        return
    labels = _twice((one.label, one.image, f"the label of {one.case}") for one in known)
    channels = _twice(
        (digest, one.image, f"channel {number} of {one.case}")
        for one in known
        for number, digest in enumerate(one.channels, 1)
    )
    within = [one.case for one in known if len(set(filter(None, one.channels))) < len([*filter(None, one.channels)])]
    for pairs in (labels, channels):
        if pairs:
            logger.warning(
                "%s has the voxels of %s, whose image is another one (%d such file(s)): is it in the wrong place?",
                *pairs[0],
                len(pairs),
            )
    if within:
        logger.warning(
            "%d case(s) have the same voxels in two channels, first %s: is one file a copy of the other?",
            len(within),
            within[0],
        )


def _twice(files: Iterable[tuple[bytes, bytes, str]]) -> list[tuple[str, str]]:
    """The files whose digest one of another image has, each with that one.

    Args:
        files: of each its digest, empty if it tells nothing, the digest of its image, and its name.
    """
    first: dict[bytes, tuple[bytes, str]] = {}
    found = []
    for digest, image, name in files:
        of_image, other = first.setdefault(digest, (image, name))
        if digest and image != of_image:
            found.append((name, other))
    return found
