"""What is seen of a case: the result of reading its files once."""

from __future__ import annotations

from typing import NamedTuple

from calib_monai.orientation import Geometry


class Seen(NamedTuple):
    """The result of reading a case: the geometry of its image, digests, and the classes that its label shows."""

    geometry: Geometry
    digest: bytes
    label_digest: bytes
    classes: frozenset[int]
    channel_digests: tuple[bytes, ...] = ()  # of channels that are files of their own
    palettes: tuple[tuple[str, dict[tuple[int, ...], set[int]]], ...] = ()  # of its masks, as `colors_of`
    units: str = ""  # as `doubt_of_units`
    inside_out: bool = False  # its label, as `is_inside_out`

    @property
    def shows(self) -> bool:
        """Whether the label shows a structure."""
        return any(self.classes)


class SeenImage(NamedTuple):
    """The result of reading an image: its geometry, a digest as `digest_of`, and its units as `doubt_of_units`."""

    geometry: Geometry
    digest: bytes
    units: str = ""
