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
        patient: whose case it is. Two images of a patient may have one label.
        image: of the image.
        channels: of each channel that is a file of its own; empty if one file has all.
        label: of the label; empty if it shows no structure.
    """

    case: str
    patient: str
    image: bytes
    channels: Sequence[bytes]
    label: bytes


class _File(NamedTuple):
    """A file of a case: its digest, empty if it tells nothing, and its name."""

    digest: bytes
    of: CaseDigests
    name: str


def tell_misplaced(cases: Iterable[CaseDigests]) -> None:
    """Warn, in one line for each kind, of cases whose label or channel is that of another image, of another patient.

    Args:
        cases: all cases of a run.
    """
    if not is_first_process():
        return
    known = list(cases)
    labels = _twice(_File(one.label, one, f"the label of {one.case}") for one in known)
    channels = _twice(
        _File(digest, one, f"channel {number} of {one.case}")
        for one in known
        for number, digest in enumerate(one.channels, 1)
    )
    for files, alike in ((labels, "has the voxels of"), (channels, "shows the same as")):
        if files:
            first, other = files[0]
            more = f" (and {len(files) - 1} more)" if len(files) > 1 else ""
            logger.warning("%s %s %s, whose image is another one%s: is it at its place?", first, alike, other, more)
    within = [one.case for one in known if len(set(filter(None, one.channels))) < len([*filter(None, one.channels)])]
    if within:
        logger.warning(
            "%d case(s) show the same in two channels, first %s: is one file a copy of the other?",
            len(within),
            within[0],
        )


def _twice(files: Iterable[_File]) -> list[tuple[str, str]]:
    """The names of the files whose digest one of another image and another patient has, each with that one."""
    first: dict[bytes, _File] = {}
    found = []
    for file in files:
        other = first.setdefault(file.digest, file)
        if file.digest and file.of.image != other.of.image and file.of.patient != other.of.patient:
            found.append((file.name, other.name))
    return found
