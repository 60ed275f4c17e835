"""Duplicates: finds pictures that are nearly the same, so that a split can keep them together."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse.csgraph import connected_components

from calib_monai.datalists.splits import Case
from calib_monai.pictures import decoded, gray_values, picture_values

SIDE = 32  # pixels of a thumbnail
LEAST_CORRELATION = 0.93  # correlation of the thumbnails of near-duplicates
MAX_THREADS = 4
MOST_GROUPS = 10  # groups, in the log

logger = logging.getLogger(__name__)


def with_groups(cases: Sequence[Case]) -> list[Case]:
    """The cases; near-duplicates get a common "patient", the name of the first of them. The log names the groups.

    Two pictures are near-duplicates if their gray thumbnails of 32 x 32 pixels correlate by more than 0.93. In 121
    images of BUSI 7 pairs correlate by .972 or more, and no other pair by more than .902.

    Args:
        cases: cases with the path of a picture under "image" and a name under "case". A picture that cannot be read is
            not a duplicate.
    """
    with ThreadPoolExecutor(MAX_THREADS) as pool:
        thumbnails = np.stack(list(pool.map(_thumbnail, (str(case["image"]) for case in cases))))
    alike = thumbnails @ thumbnails.T > LEAST_CORRELATION
    count, of_group = connected_components(alike, directed=False)
    groups = [[case for case, place in zip(cases, of_group, strict=True) if place == group] for group in range(count)]
    names = [[str(case["case"]) for case in group] for group in groups if len(group) > 1]
    if names:
        more = " ..." if len(names) > MOST_GROUPS else ""
        told = "; ".join(", ".join(group) for group in names[:MOST_GROUPS]) + more
        logger.info("%d group(s) of near-duplicates stay on one side of the split: %s", len(names), told)
    first = {name: group[0] for group in names for name in group}
    return [case | {"patient": first[case["case"]]} if case["case"] in first else case for case in cases]


def _thumbnail(file: str) -> NDArray[np.float32]:
    """The pixels of a picture's thumbnail, (1024,), of mean 0 and norm 1; all 0 if it cannot be read or is flat."""
    try:
        gray = gray_values(picture_values(file, decoded(file)))[..., 0]
    except ValueError:  # the check of all files says why
        return np.zeros(SIDE * SIDE, np.float32)
    small = np.asarray(Image.fromarray(gray).resize((SIDE, SIDE), Image.Resampling.BOX)).ravel()
    centered = small - small.mean()
    return np.asarray(centered / (np.linalg.norm(centered) or 1), np.float32)
