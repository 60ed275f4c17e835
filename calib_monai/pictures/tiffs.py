"""TIFFs: reads their tags, and refuses those of which only a part would be read."""

from __future__ import annotations

import math
import re
from typing import Any

from PIL import ExifTags, ImageFile

COLORS_OF = {0: 1, 1: 1, 2: 3, 3: 1, 6: 3}  # channels by PhotometricInterpretation; others are refused by their colors
ALPHA = (1, 2)  # of ExtraSamples, premultiplied or not
PLANES = re.compile(r'"shape": \[([\d, ]+)\].*"truncated": true')  # as tifffile describes a file without its pages


def tag_of(image: ImageFile.ImageFile, tag: int, otherwise: Any) -> Any:
    """The value of a tag in a TIFF; `otherwise` if it has no such tag or is another kind of file."""
    return getattr(image, "tag_v2", {}).get(tag, otherwise)


def check_whole(file: str, image: ImageFile.ImageFile) -> None:
    """Raise ValueError if a TIFF has channels or planes that Pillow leaves out.

    Beside gray or colors it may have one channel that is declared to be alpha.

    Args:
        file: its path, for the message.
        image: it, opened by Pillow; other formats pass.
    """
    held = int(tag_of(image, ExifTags.Base.SamplesPerPixel, 1))
    kind = tuple(tag_of(image, ExifTags.Base.ExtraSamples, ()))
    more = held - COLORS_OF.get(tag_of(image, ExifTags.Base.PhotometricInterpretation, -1), held)
    if more > 1 or (more == 1 and not (kind and kind[0] in ALPHA)):
        raise ValueError(
            f"{file} has {held} channels (SamplesPerPixel), {more} of them beside its gray or colors and not declared "
            "as alpha; a picture must be gray or RGB: save each further channel as a file of its own"
        )
    described = PLANES.search(str(tag_of(image, ExifTags.Base.ImageDescription, "")))
    if described:
        planes = math.prod(map(int, re.findall(r"\d+", described[1]))) // (image.width * image.height * held)
        if planes > 1:
            raise ValueError(
                f"{file} holds {planes} planes by its description, and one page; a picture must be one: save them one "
                "by one"
            )


def check_deep(file: str, image: ImageFile.ImageFile) -> None:
    """Raise ValueError if ITK would read the colors of a TIFF with less bits than they have, or scramble them.

    Args:
        file: its path, for the message.
        image: it, opened by Pillow, of more than 8 bits; other formats pass.
    """
    if tag_of(image, ExifTags.Base.PlanarConfiguration, 1) == 2:  # noqa: PLR2004 - one color after another
        raise ValueError(
            f"{file} stores one color after another (PlanarConfiguration 2), in more than 8 bits: save it with the "
            "colors of each pixel side by side"
        )
    if tag_of(image, ExifTags.Base.TileWidth, None) is not None:
        raise ValueError(f"{file} stores its colors in tiles, in more than 8 bits: save it without tiles")
