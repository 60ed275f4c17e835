"""Decoding: reads the pixel values of a picture with all their bits."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import itk
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from calib_monai.data_files import check_regular
from calib_monai.pictures.tiffs import check_deep, check_whole, tag_of

Values = NDArray[Any]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp")
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP")  # as Pillow calls them, found by content
AS_THEY_ARE = ("1", "L", "I;16", "I;16L", "I;16B", "I;16N", "I", "F", "RGB")  # modes whose values are taken
TIFFS = (b"II*\0", b"MM\0*")  # how they begin
MODES = {mode: mode for mode in AS_THEY_ARE} | {
    "LA": "LA",
    "La": "LA",
    "PA": "RGBA",
    "RGBA": "RGBA",
    "RGBa": "RGBA",
    "RGBX": "RGB",
    "YCbCr": "RGB",
}  # what each mode is converted to
TYPES = {("L", (8,), (2,)): np.int8, ("I", (32,), (1,)): np.uint32}  # by mode, bits and SampleFormat of a TIFF
ALWAYS_LOSSY, LOSSY_IN_TIFF = ("JPEG", "MPO"), ("jpeg", "tiff_jpeg", "webp")  # formats, and compressions of a TIFF
COLORS, BITS_OF_COLORS = 3, 8  # Pillow keeps no more bits of a color
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in gray, ITU-R 601-2, as Pillow's
TURNS: dict[int, Callable[[Values], Values]] = {
    1: lambda values: values,
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: values.swapaxes(0, 1)[:, ::-1],
    7: lambda values: values[::-1, ::-1].swapaxes(0, 1),
    8: lambda values: values.swapaxes(0, 1)[::-1],
}  # by EXIF orientation, from the rows that are stored to the picture that is shown

_itk_alone = Lock()  # ITK loads its parts when they are first used, which is not safe with threads


class Picture(NamedTuple):
    """A picture upright, as a viewer shows it.

    Attributes:
        values: (H, W, C), C = 1 gray or 3 colors, in the type of the file.
        alpha: (H, W), how opaque each pixel is, or None where the file does not say.
        indices: (H, W), places in the palette, or None where there is none.
        palette: (number of colors, 3), or None.
        turned: the EXIF orientation by which it was turned from its stored rows, 1 where it was not.
        format: of the file, by its content, as "PNG".
        lossy: whether the values are near those that were saved, and not the same.
        white_is_0: whether the file stores white as 0; the values are those that a viewer shows.
    """

    values: Values
    alpha: Values | None
    indices: Values | None
    palette: Values | None
    turned: int
    format: str
    lossy: bool
    white_is_0: bool = False


def decoded(file: str) -> Picture:
    """The picture in a file.

    Raises:
        ValueError: the file is not a picture, holds several, or has an unsupported color model.
    """
    check_regular(file)
    try:
        with Image.open(file, formats=FORMATS) as image:
            # Several views of one scene in a JPEG (MPO) begin with the picture itself.
            frames = 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))
            if frames == 1:
                return _decoded(file, image)
    except ValueError:
        raise
    except UnidentifiedImageError:
        raise ValueError(_not_read(file)) from None
    except Exception as error:  # noqa: BLE001 - every decoder has errors of its own
        raise ValueError(f"{file} cannot be read: {str(error) or type(error).__name__}") from None
    raise ValueError(f"{file} holds {frames} pages or frames; a picture must be one: save them one by one")


def _not_read(file: str) -> str:
    """The message for a file that Pillow does not know."""
    with Path(file).open("rb") as content:
        if content.read(4).startswith(TIFFS):
            return (
                f"{file} is a TIFF that is damaged or holds values of another kind; needed are 8 or 16 bits, or "
                "float32 in gray: convert it"
            )
    return f"{file} is not a picture: needed is a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file"


def picture_values(file: str, picture: Picture) -> NDArray[np.float32]:
    """The values of a picture to look at, (H, W, C), C = 1 or 3.

    Raises:
        ValueError: with the file, where some of it is transparent: nothing says what is behind.
    """
    alpha = picture.alpha
    if alpha is not None and not _is_opaque(alpha):
        raise ValueError(
            f"{file} is transparent in {int((alpha < alpha.max()).sum()) or alpha.size} pixel(s), and nothing says "
            "what is behind: save it without an alpha channel"
        )
    return picture.values.astype(np.float32)


def gray_values(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gray values (H, W, 1) of gray ones or colors, (H, W, C)."""
    if values.shape[-1] == 1 or is_gray(values):
        return values[..., :1]
    return (values @ np.array(LUMA, np.float32))[..., None]


def is_gray(values: Values) -> bool:
    """Whether the colors (H, W, C) of all pixels are gray."""
    return bool((values == values[..., :1]).all())


def _decoded(file: str, image: ImageFile.ImageFile) -> Picture:
    """The picture in an image that was opened."""
    check_whole(file, image)
    deep = _has_deep_colors(image)
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    if orientation != 1 and (deep or image.format == "TIFF"):  # Pillow scrambles such TIFFs, and ITK turns none
        raise ValueError(f"{file} is stored turned (EXIF orientation {orientation}): save it upright")
    white_is_0 = tag_of(image, ExifTags.Base.PhotometricInterpretation, 1) == 0
    if white_is_0 and image.mode not in ("1", "L"):
        raise ValueError(f"{file} stores white as 0, in more than 8 bits: save it with black as 0")
    if deep:
        return _deep(file, image)
    turn = TURNS.get(orientation, TURNS[1])
    indices = turn(np.asarray(image)) if image.mode == "P" else None
    palette = np.reshape(image.getpalette() or (), (-1, COLORS)) if image.mode == "P" else None
    mode = ("RGBA" if "transparency" in image.info else "RGB") if image.mode == "P" else MODES.get(image.mode)
    if mode is None:
        raise ValueError(f"{file} has colors of the kind {image.mode}; they must be gray or RGB: convert it to RGB")
    if image.mode in ("L", "RGB") and "transparency" in image.info:
        mode = f"{image.mode}A"
    values = turn(_typed(image, np.asarray(image.convert(mode) if mode != image.mode else image)))
    turned = orientation if orientation in TURNS else 1
    lossy = _is_lossy(file, image)
    return Picture(*_split(values), indices, palette, turned, str(image.format), lossy, white_is_0)


def _typed(image: ImageFile.ImageFile, values: Values) -> Values:
    """The values of an image in the type of its file, where Pillow takes signed bytes and 32 bits for another."""
    bits, sample = (
        tuple(tag_of(image, tag, (1,))) for tag in (ExifTags.Base.BitsPerSample, ExifTags.Base.SampleFormat)
    )
    kind = TYPES.get((image.mode, bits, sample))
    return values.view(kind) if kind else values


def _split(values: Values) -> tuple[Values, Values | None]:
    """Values (H, W[, C]) as gray or colors (H, W, 1 or 3), and their alpha (H, W) where they have it."""
    channels = np.atleast_3d(values)
    has_alpha = channels.shape[-1] in (2, 4)
    return (channels[..., :-1], channels[..., -1]) if has_alpha else (channels, None)


def _is_lossy(file: str, image: ImageFile.ImageFile) -> bool:
    """Whether an image that was opened was saved with a loss; of a WebP, its first part that holds pixels tells it."""
    if image.format == "WEBP":
        part = re.search(rb"VP8[ L]", Path(file).read_bytes())
        return part is not None and part[0] == b"VP8 "
    return image.format in ALWAYS_LOSSY or image.info.get("compression") in LOSSY_IN_TIFF


def _has_deep_colors(image: ImageFile.ImageFile) -> bool:
    """Whether an image that was opened has more than one channel in more than 8 bits."""
    if len(image.getbands()) == 1:
        return False
    raw = str(image.tile[0].args) if image.tile else ""
    return ";16" in raw or max(tag_of(image, ExifTags.Base.BitsPerSample, (0,))) > BITS_OF_COLORS


def _deep(file: str, image: ImageFile.ImageFile) -> Picture:
    """A picture whose colors have 16 bits, of which Pillow would keep 8."""
    check_deep(file, image)
    with _itk_alone:
        reader = itk.ImageFileReader[itk.VectorImage[itk.F, 2]].New(FileName=file)
        reader.Update()
        values = np.asarray(itk.array_from_image(reader.GetOutput()))
    return Picture(*_split(values.astype(np.uint16)), None, None, 1, str(image.format), lossy=False)


def _is_opaque(alpha: Values) -> bool:
    """Whether all pixels have the largest alpha of their type."""
    return bool((alpha == np.iinfo(alpha.dtype).max).all())
