"""NRRD spaces: refuses those that ITK mirrors, and doubts headers that do not say which way is left."""

from __future__ import annotations

from calib_monai.grids import SPATIAL_DIMS
from calib_monai.text_headers import numbers, text_header

TAKEN = {"left-posterior-superior", "lps", "left-posterior-superior-time", "lpst"}
TURNED = {"right-anterior-superior", "ras", "left-anterior-superior", "las"}  # by ITK, into LPS
MIRRORED = {"right-anterior-superior-time", "rast", "left-anterior-superior-time", "last"}  # taken for LPS


def check_space(file: str) -> None:
    """Raise ValueError if a NRRD gives its place in a space that ITK would take for another.

    Args:
        file: of an image, whatever its format.
    """
    header = text_header(file)
    space = header.fields.get("space", "") if header and header.is_nrrd else ""
    if space.lower() in MIRRORED:
        raise ValueError(
            f"{file} gives its place in the space {space}, which would be read as LPS; it must be RAS, LAS or LPS, "
            "without an axis of time"
        )


def doubt_of_space(file: str) -> str:
    """A doubt about the place that the header of a NRRD gives the voxels of a volume, or an empty text."""
    try:
        header = text_header(file)
    except (OSError, ValueError):  # the loading says what is wrong
        return ""
    if header is None or not header.is_nrrd or len(numbers(header.fields.get("sizes", ""))) < SPATIAL_DIMS:
        return ""
    known = header.fields.get("space", "").lower() in TAKEN | TURNED | MIRRORED
    if known and "spacedirections" in header.fields:
        return ""
    return "say nothing of their orientation (no space directions in RAS, LAS or LPS); LPS is taken"
