"""The patches of one's own data, which `volumes.json` gets by the spacing."""

from __future__ import annotations

from math import prod
from typing import Any

from calib_monai.arguments import is_number

VOXELS = 2**20  # of a patch, about: 96 x 96 x 96
MULTIPLE = 32  # can be halved as often as a network here needs


def volumes_of_own(path: str, volumes: Any, pixdim: Any) -> dict[str, Any]:
    """The section "volumes" of a part: its patch_size and its spacing.

    Args:
        path: of the part.
        volumes: what the part says: true, or an object with "patch_size", "spacing" or both.
        pixdim: the spacing of slices and volumes, from its numbers.

    Raises:
        ValueError: another value, or no spacing.
    """
    given = {} if volumes is True else volumes
    if not isinstance(given, dict) or given.keys() - {"patch_size", "spacing"}:
        raise ValueError(f'{path} sets volumes to {volumes!r}; it must be true, or have "patch_size" and "spacing"')
    spacing = given.get("spacing", pixdim)
    if not (isinstance(spacing, list) and len(spacing) == 3 and all(is_number(size) and size > 0 for size in spacing)):  # noqa: PLR2004 - axes
        raise ValueError(
            f"{path} sets volumes, and the spacing is {spacing}; volumes need three sizes above 0 as numbers#pixdim or "
            "volumes#spacing"
        )
    return {"patch_size": given.get("patch_size", patch_of(spacing)), "spacing": spacing}


def patch_of(spacing: list[float]) -> list[int]:
    """A patch of about a million voxels that is as long in mm along each axis, in multiples of 32 voxels."""
    side = (VOXELS * prod(spacing)) ** (1 / 3)
    return [max(1, round(side / size / MULTIPLE)) * MULTIPLE for size in spacing]
