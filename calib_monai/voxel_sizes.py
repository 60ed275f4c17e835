"""Voxel sizes: reads the unit in which MetaImage, NRRD and NIfTI give sizes, and refuses volumes that give none."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from calib_monai.grids import SPATIAL_DIMS
from calib_monai.text_headers import AXES, MOST_SHOWN, number_in, numbers, text_header

# mm, by the name of a unit in small letters
UNITS = {"m": 1000.0, "cm": 10.0, "mm": 1.0, "um": 0.001, "nm": 1e-6} | {
    **dict.fromkeys(("meter", "metre", "meters", "metres"), 1000.0),
    **dict.fromkeys(("centimeter", "centimetre", "centimeters", "centimetres"), 10.0),
    **dict.fromkeys(("millimeter", "millimetre", "millimeters", "millimetres"), 1.0),
    **dict.fromkeys(("\u00b5m", "\u03bcm", "micron", "microns", "micrometer", "micrometers"), 0.001),
    **dict.fromkeys(("", "?", "???", "none", "unknown"), 1.0),  # not said, and taken for mm as in NIfTI
}
NIFTI_UNITS = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # mm: not said and taken for mm, meters, mm, and micrometers
SPACE_BITS = 7  # of a NIfTI's xyzt_units, that say in what it measures space
DIRECTIONS = ("TransformMatrix", "Rotation", "Orientation")  # names that MetaImage has for those of the axes
LONGER = 0.01  # than 1, or shorter, by which a direction that was rounded may be
OF_SPACE = ("domain", "space", "???", "none")  # kinds of axes of a NRRD that may be of space


def mm_per_unit(file: str) -> float:
    """The mm in the unit of a MetaImage or NRRD; 1 for another format.

    Args:
        file: of an image, whatever its format.

    Raises:
        ValueError: a unit is unknown, or axes have different ones.
    """
    header = text_header(file)
    if header is None:
        return 1.0
    fields = header.fields
    words = _nrrd_units(fields) if header.is_nrrd else [fields.get("DistanceUnits", "")]
    for word in words:
        if word.lower() not in UNITS:
            raise ValueError(
                f"{file} gives the size of its voxels in {word[:MOST_SHOWN]!r}; it must be in mm, cm, m, um or nm"
            )
    scales = {UNITS[word.lower()] for word in words} or {1.0}
    if len(scales) > 1:
        raise ValueError(f"{file} gives the sizes of its voxels in {', '.join(words)}; all must have one unit")
    return scales.pop()


def mm_per_nifti_unit(file: str, xyzt_units: int) -> float:
    """The mm in the unit of a NIfTI.

    Args:
        file: of the NIfTI, for the message.
        xyzt_units: the field of its header.

    Raises:
        ValueError: NIfTI has no such unit of space.
    """
    unit = xyzt_units & SPACE_BITS
    if unit not in NIFTI_UNITS:
        raise ValueError(
            f"{file} gives the size of its voxels in the unit {unit} (xyzt_units); it must be 1, 2 or 3, which are m, "
            "mm and um, or 0"
        )
    return NIFTI_UNITS[unit]


def check_voxel_sizes(file: str) -> None:
    """Raise ValueError if a MetaImage or NRRD is a volume and gives no size of its voxels: ITK would take 1 mm.

    A MetaImage whose directions are not of length 1 is refused, too: they would change the sizes.

    Args:
        file: of an image, whatever its format.
    """
    header = text_header(file)
    if header is None:
        return
    sizes = _nrrd_sizes(header.fields) if header.is_nrrd else _meta_sizes(header.fields)
    for axis, size in enumerate(sizes):
        if not (math.isfinite(size) and size):
            fields = "'space directions' or 'spacings'" if header.is_nrrd else "ElementSpacing"
            raise ValueError(
                f"{file} gives its voxels no size along axis {axis + 1} of {len(sizes)}; the header of a volume must "
                f"have it in {fields}"
            )
    for axis, length in enumerate([] if header.is_nrrd else _meta_lengths(header.fields)):
        if abs(length - 1) > LONGER:
            raise ValueError(
                f"{file} gives axis {axis + 1} a direction of length {length:.4g} (TransformMatrix); it must be 1, for "
                "the size of voxels stands in ElementSpacing"
            )


def _meta_sizes(fields: Mapping[str, str]) -> list[float]:
    """The size along each axis of space of a MetaImage, NaN where there is none; none at all if it is no volume."""
    if sum(numbers(fields.get(AXES, ""))) < SPATIAL_DIMS:
        return []
    given = list(map(number_in, fields.get("ElementSpacing", fields.get("ElementSize", "")).split()))
    return [*given, *[math.nan] * SPATIAL_DIMS][:SPATIAL_DIMS]


def _meta_lengths(fields: Mapping[str, str]) -> list[float]:
    """The length of the direction of each axis of a MetaImage; none where it gives no directions."""
    axes = sum(numbers(fields.get(AXES, "")))
    given = next((fields[name] for name in DIRECTIONS if name in fields), "").split()
    if len(given) != axes**2:
        return []
    return [math.hypot(*map(number_in, given[axis * axes : (axis + 1) * axes])) for axis in range(axes)]


def _nrrd_sizes(fields: Mapping[str, str]) -> list[float]:
    """The size along each axis of space of a NRRD, NaN where there is none; none at all if it is no volume."""
    axes = _nrrd_axes(fields)
    if len(axes) < SPATIAL_DIMS:
        return []
    vectors = _vectors(fields)
    given = [max(vector, key=abs, default=math.nan) for vector in vectors] if vectors else _spacings(fields)
    return [given[axis] if axis < len(given) else math.nan for axis in axes]


def _nrrd_units(fields: Mapping[str, str]) -> list[str]:
    """The units of the axes of space of a NRRD, or of the space itself."""
    axes, units = _nrrd_axes(fields), _words(fields.get("units", ""))
    return [*(units[axis] for axis in axes if axis < len(units)), *_words(fields.get("spaceunits", ""))[:SPATIAL_DIMS]]


def _nrrd_axes(fields: Mapping[str, str]) -> list[int]:
    """The axes of space of a NRRD, three at most: not of channels, by their kind or because they have no direction."""
    kinds, vectors = fields.get("kinds", "").lower().split(), dict(enumerate(_vectors(fields)))
    axes = list(range(len(numbers(fields.get("sizes", "")))))
    axes = [axis for axis in axes if axis >= len(kinds) or kinds[axis] in OF_SPACE]
    if len(axes) > SPATIAL_DIMS:
        axes = [axis for axis in axes if vectors.get(axis) != []]
    return axes[:SPATIAL_DIMS]


def _vectors(fields: Mapping[str, str]) -> list[list[float]]:
    """The directions of the axes of a NRRD, each a vector; an empty one for "none"."""
    found = re.findall(r"none|\([^)]*\)", fields.get("spacedirections", "").lower())
    return [[number_in(part) for part in vector.strip("()").split(",")] if vector != "none" else [] for vector in found]


def _spacings(fields: Mapping[str, str]) -> list[float]:
    """The spacings of a NRRD."""
    return list(map(number_in, fields.get("spacings", "").split()))


def _words(text: str) -> Sequence[str]:
    """Words in quotes, or without any."""
    return [word.strip() for word in re.findall(r'"([^"]*)"', text)] if '"' in text else text.split()
