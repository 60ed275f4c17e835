"""Misplaced files: tells labels and channels that are those of another case, copied by mistake."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from calib_monai.datalists.splits import Case, patient_of
from calib_monai.processes import is_first_process
from calib_monai.same_images import WHY
from calib_monai.seen import Seen

MOST_COMPARED = 10  # pairs of images, which are read again

logger = logging.getLogger(__name__)


class CaseDigests(NamedTuple):
    """What tells the files of a case from those of others, as `calib_monai.same_images` makes it.

    Attributes:
        case: its name.
        patient: whose case it is. Two images of a patient may have one label.
        image: of the image.
        channels: of each channel that is a file of its own; empty if one file has all.
        label: of the label; empty if it shows no structure.
        of_set: the set that it is in, such as training; empty if that is not known.
    """

    case: str
    patient: str
    image: bytes
    channels: Sequence[bytes]
    label: bytes
    of_set: str = ""

    @property
    def told(self) -> str:
        """The case and its set in words."""
        return f"{self.case} ({self.of_set})" if self.of_set else self.case


def told_by(case: Case, seen: Seen, of_set: str) -> CaseDigests:
    """What tells the files of a case from those of others."""
    label = seen.label_digest if seen.shows else b""
    return CaseDigests(str(case["case"]), str(patient_of(case)), seen.digest, seen.channel_digests, label, of_set)


class _File(NamedTuple):
    """A file of a case: its digest, empty if it tells nothing, and its name."""

    digest: bytes
    of: CaseDigests
    name: str


def tell_misplaced(
    cases: Iterable[CaseDigests], nearly_the_same: Callable[[str, str], bool] = lambda _case, _other: False
) -> None:
    """Warn, in one line for each kind, of cases whose label or channel is that of another image, of another patient.

    Args:
        cases: all cases of a run.
        nearly_the_same: whether the images of two cases are nearly the same. It is asked of a few whose labels agree.
    """
    if not is_first_process():
        return
    known = list(cases)
    labels = _twice(_File(one.label, one, f"the label of {one.told}") for one in known)
    labels.sort(key=lambda pair: pair[0].of.of_set == pair[1].of.of_set)  # those of two sets first
    near = [pair for pair in labels[:MOST_COMPARED] if nearly_the_same(pair[0].of.case, pair[1].of.case)]
    _tell_near(near)
    labels = [pair for pair in labels if pair not in near]
    channels = _twice(
        _File(digest, one, f"channel {number} of {one.told}")
        for one in known
        for number, digest in enumerate(one.channels, 1)
    )
    for files, alike in ((labels, "has the voxels of"), (channels, "shows the same as")):
        if files:
            first, other = files[0]
            told = f"{first.name} {alike} {other.name}, whose image is another one{_more(files)}"
            logger.warning("%s: is it at its place?", told)
    within = [one.case for one in known if len(set(filter(None, one.channels))) < len([*filter(None, one.channels)])]
    if within:
        logger.warning(
            "%d case(s) show the same in two channels, first %s: is one file a copy of the other?",
            len(within),
            within[0],
        )


def _tell_near(pairs: Sequence[tuple[_File, _File]]) -> None:
    """Warn, in one line, of cases whose labels are the same, and whose images nearly are."""
    if pairs:
        first, other = pairs[0]
        logger.warning(
            "%s is that of %s, and their images are nearly the same%s: leave one out. %s",
            *(first.name, other.of.told, _more(pairs), WHY),
        )


def _more(found: Sequence[object]) -> str:
    """The number of those beside the first, in words."""
    return f" (and {len(found) - 1} more)" if len(found) > 1 else ""


def _twice(files: Iterable[_File]) -> list[tuple[_File, _File]]:
    """The files whose digest one of another image and another patient has, each with that one."""
    first: dict[bytes, _File] = {}
    found = []
    for file in files:
        other = first.setdefault(file.digest, file)
        if file.digest and file.of.image != other.of.image and file.of.patient != other.of.patient:
            found.append((file, other))
    return found
