"""Images: finds those of the cases that are scored, by their names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations
from pathlib import Path

from calib_monai.datalists.folders import files_below, held
from calib_monai.scoring.names import LABEL_SUFFIXES, case_named, check_folder, rest_of, stem_of

OF_IMAGE = re.compile(r"(img|image|\d{4})?", re.IGNORECASE)  # nnU-Net numbers the channels of an image


def images_in(
    folder: Path, wanted: Iterable[str], cases: Collection[str], scored: Iterable[Path]
) -> dict[str, tuple[str, ...]]:
    """The images of cases in a folder, in the order of their names.

    Args:
        folder: in which they are searched at any depth.
        wanted: the cases whose images are wanted.
        cases: all cases; a file is of the one with the longest name that fits.
        scored: labels and probabilities, which are no images.

    Raises:
        ValueError: a case without an image, or two files that cannot be channels of one image.
    """
    check_folder("--images", folder)
    others = {file.resolve() for file in scored}
    by_case: dict[str, list[Path]] = {}
    for file in files_below(folder)[0]:
        case = case_named(stem_of(file), cases) if file.name.lower().endswith(LABEL_SUFFIXES) else None
        if case is not None and OF_IMAGE.fullmatch(rest_of(stem_of(file), case)) and file.resolve() not in others:
            by_case.setdefault(case, []).append(file)
    found = {}
    for case in wanted:
        if case not in by_case:
            raise ValueError(f"--images {folder} holds no image of {case}; {held(folder)}")
        _check_channels(case, by_case[case])
        found[case] = tuple(str(file.absolute()) for file in sorted(by_case[case], key=stem_of))
    return found


def _check_channels(case: str, files: Sequence[Path]) -> None:
    """Raise ValueError if two files are not two channels, each with a number: one is another image, or a label."""
    for one, other in combinations(files, 2):
        numbers = {rest_of(stem_of(file), case) for file in (one, other)}
        if len(numbers) == 1 or not all(map(str.isdecimal, numbers)):
            raise ValueError(
                f"{one} and {other} are both the image of {case}; there must be one of them, or channels such as "
                f"{case}_0000 and {case}_0001"
            )
