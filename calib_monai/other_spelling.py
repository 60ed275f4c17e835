"""Other spelling: finds files that are of no case because of their suffix, or of capitals in their paths."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from calib_monai.datalists.inputs import IMAGE_SUFFIXES
from calib_monai.pictures import SUFFIXES


def spelled_otherwise(others: Sequence[Path], of_cases: Iterable[Path], root: Path) -> list[Path]:
    """The files with the path of a case's file but for numbers and capitals, or beside one with another suffix.

    A picture beside volumes is none, nor a volume beside pictures: it shows what is in them, and is no case.

    Args:
        others: images in the folder of a data set that belong to no case.
        of_cases: the files of its cases; those elsewhere say nothing.
        root: the folder.

    Examples:
        >>> others = [Path("/d/P2/scan.nii.gz"), Path("/d/p3/scan.nii"), Path("/d/p1/t2.nii.gz")]
        >>> [str(file) for file in spelled_otherwise(others, [Path("/d/p1/scan.nii.gz")], Path("/d"))]
        ['/d/P2/scan.nii.gz', '/d/p3/scan.nii']
    """
    inside = [file for file in of_cases if file.is_relative_to(root)]
    suffixes = {_suffix(file) for file in inside} - {""}
    kinds = {suffix.lower() in SUFFIXES for suffix in suffixes}
    shapes = {_without_numbers(file, root) for file in inside}
    shapes_in_small = {shape.lower() for shape in shapes}
    folders = {_without_numbers(file.parent, root) for file in inside}
    found = []
    for file in others:
        suffix, shape = _suffix(file), _without_numbers(file, root)
        is_other_suffix = suffix not in suffixes and (suffix.lower() in SUFFIXES) in kinds
        is_other_suffix = is_other_suffix and _without_numbers(file.parent, root) in folders
        if is_other_suffix or (shape not in shapes and shape.lower() in shapes_in_small):
            found.append(file)
    return found


def _suffix(file: Path) -> str:
    """The suffix of an image as it is spelled, "" of another file."""
    length = next((len(suffix) for suffix in IMAGE_SUFFIXES if file.name.lower().endswith(suffix)), 0)
    return file.name[len(file.name) - length :]


def _without_numbers(file: Path, root: Path) -> str:
    """The path in the folder with one sign for each number."""
    return re.sub(r"\d+", "#", file.relative_to(root).as_posix())
