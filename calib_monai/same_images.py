"""Same images: tells cases with the same voxels, whatever their names and files are."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from nibabel.orientations import apply_orientation, io_orientation
from numpy.typing import NDArray
from torch import Tensor

from calib_monai.datalists.split_files import Drawn, read_split
from calib_monai.datalists.splits import SPLITS, Case, Split, patient_of
from calib_monai.processes import is_first_process

MOST_VOXELS = 2**16  # of an image that are compared
SEEN = ("training", "validation")  # sets whose images a model has seen
WHY = "Results on an image that was trained on say too much"

logger = logging.getLogger(__name__)


def digest_of(image: Tensor, affine: NDArray[np.float64] | None = None) -> bytes:
    """What is the same for two images (C, H, W[, D]) if their voxels are; nothing for an image of one value.

    It is made of the ranks of the values in each channel, so it stays the same if values are scaled or shifted. Of a
    large image it is made of the voxels of a regular grid: scans that agree in all of them are copies.

    Args:
        image: the image.
        affine: (4, 4). A volume is compared in one orientation, whichever it is stored in.
    """
    channels = in_one_orientation(image, affine)
    ranks = np.stack([np.unique(some, return_inverse=True)[1].reshape(-1) for some in on_a_grid(channels)])
    if not ranks.any():
        return b""
    shape = repr((len(channels), *channels[0].shape)).encode()
    return blake2b(shape + ranks.astype(np.int32).tobytes(), digest_size=16).digest()


def on_a_grid(channels: Sequence[NDArray[Any]], most: int = MOST_VOXELS) -> NDArray[Any]:
    """The values of each channel on a regular grid, (C, h, w[, d]).

    Args:
        channels: (H, W[, D]) each.
        most: values of all channels together, about.
    """
    axes = channels[0].ndim
    step = max(1, math.ceil((len(channels) * channels[0].size / most) ** (1 / axes)))
    return np.stack([channel[(slice(None, None, step),) * axes] for channel in channels])


def label_digest_of(label: Tensor, affine: NDArray[np.float64] | None = None) -> bytes:
    """What is the same for two labels (1, H, W[, D]) if all their voxels are.

    Args:
        label: whole numbers from 0 to 255.
        affine: (4, 4). A volume is compared in one orientation, whichever it is stored in.
    """
    [values] = in_one_orientation(label, affine)
    digest = blake2b(repr(values.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(values, dtype=np.uint8).data)
    return digest.digest()


def in_one_orientation(image: Tensor, affine: NDArray[np.float64] | None) -> list[NDArray[Any]]:
    """The channels of an image (C, H, W[, D]), in one orientation if an affine (4, 4) is that of a volume."""
    channels = list(image.numpy())
    if affine is None or image.ndim != len(affine):
        return channels
    turn = io_orientation(affine)  # type: ignore[no-untyped-call]
    return [apply_orientation(channel, turn) for channel in channels]  # type: ignore[no-untyped-call]


class Copy(NamedTuple):
    """A case whose image another one has, and the sets of both."""

    case: Case
    of_set: str
    other: Case
    of_other: str

    @property
    def crosses(self) -> bool:
        """Whether the two are in different sets."""
        return self.of_set != self.of_other

    @property
    def told(self) -> str:
        """Both in words."""
        return f"the image of {self.case['case']} ({self.of_set}) is that of {self.other['case']} ({self.of_other})"


def _copies_in(sets: Mapping[str, Sequence[Case]], digests: Sequence[bytes]) -> list[Copy]:
    """The cases whose image another case has: of several, that of the test is the other one, or else of validation.

    Args:
        sets: the cases by set.
        digests: of each case, in order, as `digest_of`.
    """
    placed = [(name, case) for name, cases in sets.items() for case in cases]
    found = sorted(zip(placed, digests, strict=True), key=lambda one: SPLITS.index(one[0][0]), reverse=True)
    first: dict[bytes, tuple[str, Case]] = {}
    copies = []
    for (name, case), digest in found:
        other_name, other = first.setdefault(digest, (name, case)) if digest else (name, case)
        if other is not case:
            copies.append(Copy(case, name, other, other_name))
    return copies


def without_copies(
    split: Split, use: Sequence[str], digests: Sequence[bytes], *, apart: bool = False, given: bool = False
) -> tuple[Split, list[str]]:
    """A split in which no image is in two sets, and the names of the cases that are left out for that.

    A patient whose image is also in validation or test is left out of the sets before. No case changes its set. Log
    lines tell copies.

    Args:
        split: the cases by set.
        use: the sets that are compared.
        digests: of each of their cases, in order, as `digest_of`.
        apart: leave out nothing.
        given: whether the user says which cases are in which set.

    Raises:
        ValueError: an image is in two sets of a split that is given, or no case of a set is left.
    """
    copies = _copies_in({name: split[name] for name in use}, digests)
    crossing = [] if apart else [copy for copy in copies if copy.crosses]
    if crossing and given:
        raise ValueError(f"{crossing[0].told}: leave one out of the lists, or put both into one. {WHY}")
    left = {(copy.of_set, patient_of(copy.case)) for copy in crossing}
    left_out = [case["case"] for name, of_set in split.items() for case in of_set if (name, patient_of(case)) in left]
    if is_first_process():
        _tell(copies, crossing, left_out)
    if not left_out:
        return split, []
    kept = {name: [case for case in of_set if case["case"] not in left_out] for name, of_set in split.items()}
    for name, of_set in kept.items():
        if split[name] and not of_set:
            raise ValueError(f"no case is left for {name}: {crossing[0].told}. {WHY}")
    return kept, left_out


def _tell(copies: Sequence[Copy], crossing: Sequence[Copy], left_out: Sequence[str]) -> None:
    """Warn, in one line each, of the cases that are left out for their copies, and of copies that stay."""
    if left_out:
        logger.warning("%d case(s) are left out, first %s: %s. %s", len(left_out), left_out[0], crossing[0].told, WHY)
    if stay := [copy for copy in copies if copy.case["case"] not in left_out]:
        logger.warning("%d case(s) are copies of others: %s", len(stay), stay[0].told)


def tell_unseen(split_files: Sequence[Path], sets: Mapping[str, Sequence[Case]], digests: Sequence[bytes]) -> None:
    """Warn of what `check_unseen` refuses, of cases that another program lists; arguments as there."""
    try:
        check_unseen(split_files, sets, digests)
    except ValueError as error:
        logger.warning("%s", error)


def check_unseen(
    split_files: Sequence[Path], sets: Mapping[str, Sequence[Case]], digests: Sequence[bytes], *, own: bool = False
) -> None:
    """Raise ValueError if a model has seen an image that is measured, under whatever name and in whatever file.

    A model has seen the images of its training and, unless validation cases are measured, of its validation.

    Args:
        split_files: beside each model. An earlier version did not note the images there, which a warning says.
        sets: the measured cases by set.
        digests: of each of their images, in order, as `digest_of`.
        own: whether the cases are of these splits. Then a validation case must have the image that it had in training.
    """
    placed = [(name, case["case"]) for name, cases in sets.items() for case in cases]
    for file in filter(Path.is_file, split_files):
        kept = read_split(file)
        if kept is None or not kept.images:
            logger.warning("%s does not say which images the model has seen: some may be measured here", file)
            continue
        seen = {of_set: {kept.images[case]: case for case in kept.names[of_set]} for of_set in SEEN}
        for (name, case), digest in zip(placed, map(bytes.hex, digests), strict=True):
            if own and name == "validation" and kept.images.get(case, digest) != digest:
                raise ValueError(f"{case} has another image than {file} has for {name}: give the data of the training")
            of_set = next((one for one in SEEN if digest and one != name and digest in seen[one]), None)
            if of_set is not None:
                raise ValueError(
                    f"the image of {case} ({name}) is that of {seen[of_set][digest]}, which {file} has for "
                    f"{of_set}: measure other cases. {WHY}"
                )


def tell_seen(splits: Mapping[Path, Drawn], digests: Mapping[str, bytes]) -> None:
    """Warn, in one line for each model, of images that it has seen under another name.

    Args:
        splits: the split of each model, by its file.
        digests: of the image of each case, as `digest_of`.
    """
    for file, kept in splits.items():
        seen: dict[str, list[str]] = {}
        for case, digest in kept.images.items():
            seen.setdefault(digest, []).append(case)
        names = {case: seen.get(digest.hex(), [case]) for case, digest in digests.items() if digest}
        renamed = [case for case, of_image in names.items() if case not in of_image]
        if renamed:
            logger.warning(
                "%d image(s) are in the training or validation of %s under other names, first %s, which is %s there. "
                "%s",
                len(renamed),
                file,
                renamed[0],
                names[renamed[0]][0],
                WHY,
            )
