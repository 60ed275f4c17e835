"""Decoding: the values of a picture in every format and number of bits, and what is refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import itk
import numpy as np
import pytest
from PIL import Image, ImageOps
from tiffs import tiff

from calib_monai.pictures import LoadPicturesd, decoded, picture_values

RNG = np.random.default_rng(0)
GRAY = RNG.random((6, 9))
COLORS = RNG.random((6, 9, 3))
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def loaded(file: Path, in_channels: int = 1) -> np.ndarray:
    """The picture as a network would see it at this size, (C, H, W), scaled to [0, 1]."""
    values = np.asarray(LoadPicturesd("image", in_channels)({"image": str(file)})["image"]).transpose(0, 2, 1)
    return (values - values.min()) / (values.max() - values.min())


def scaled(values: np.ndarray) -> np.ndarray:
    return (values - values.min()) / (values.max() - values.min())


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(("largest", "kind"), [(255, np.uint8), (4095, np.uint16), (65535, np.uint16)])
def test_gray_values_of_any_number_of_bits_are_one_picture(
    suffix: str, largest: int, kind: Any, tmp_path: Path
) -> None:
    Image.fromarray((largest * GRAY).astype(kind)).save(tmp_path / f"a.{suffix}")
    assert np.abs(loaded(tmp_path / f"a.{suffix}")[0] - scaled(GRAY)).max() < 2 / 255


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(("largest", "kind"), [(255, np.uint8), (4095, np.uint16), (65535, np.uint16)])
def test_colors_of_any_number_of_bits_are_one_picture(suffix: str, largest: int, kind: Any, tmp_path: Path) -> None:
    file = tmp_path / f"a.{suffix}"
    values = (largest * COLORS).astype(kind)
    if suffix == "tif":
        itk.imwrite(itk.image_from_array(values, is_vector=True), str(file))
    else:
        file.write_bytes(png(values, 8 * values.itemsize))
    assert np.abs(loaded(file, 3) - scaled(COLORS).transpose(2, 0, 1)).max() < 2 / 255
    assert np.array_equal(decoded(str(file)).values, values)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_colors_that_are_stored_one_after_another_are_read_in_8_bits(kind: Any, tmp_path: Path) -> None:
    values = (255 * COLORS).astype(kind)
    (tmp_path / "a.tif").write_bytes(tiff(values, planar=True))
    if kind == np.uint8:
        assert np.array_equal(decoded(str(tmp_path / "a.tif")).values, values)
    else:
        said = r"a\.tif stores one color after another \(PlanarConfiguration 2\), in more than 8 bits"
        with pytest.raises(ValueError, match=said):
            decoded(str(tmp_path / "a.tif"))


def test_floating_point_values_are_taken(tmp_path: Path) -> None:
    Image.fromarray(GRAY.astype(np.float32)).save(tmp_path / "a.tif")
    assert np.allclose(loaded(tmp_path / "a.tif")[0], scaled(GRAY), atol=1e-6)


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.uint8, np.uint16, np.uint32, np.float32])
def test_a_tiff_of_any_type_keeps_its_smallest_and_its_largest_value(kind: Any, tmp_path: Path) -> None:
    bounds = np.finfo(kind) if kind == np.float32 else np.iinfo(kind)
    values = np.array([[bounds.min, bounds.max], [0, 1]], kind)
    (tmp_path / "a.tif").write_bytes(tiff(values))
    assert np.array_equal(decoded(str(tmp_path / "a.tif")).values[..., 0], values)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "gif", "jpg"])
def test_every_format_that_is_named_is_read(suffix: str, tmp_path: Path) -> None:
    values = np.repeat((255 * (GRAY > 0.5)).astype(np.uint8)[..., None], 3, axis=-1)
    options = {"lossless": True} if suffix == "webp" else {"quality": 100} if suffix == "jpg" else {}
    Image.fromarray(values).save(tmp_path / f"a.{suffix}", **options)
    for in_channels in (1, 3):
        found = loaded(tmp_path / f"a.{suffix}", in_channels)
        assert found.shape == (in_channels, 6, 9)
        assert np.allclose(found, GRAY > 0.5, atol=0.05)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("colors", [1, 3])
def test_interlaced_pictures_are_read(bits: int, colors: int, tmp_path: Path) -> None:
    if colors == 3 and bits < 8:
        pytest.skip("PNG has no such colors")
    values = RNG.integers(0, 2**bits, (8, 8, colors))
    (tmp_path / "a.png").write_bytes(png(values, bits, interlaced=True))
    assert np.allclose(loaded(tmp_path / "a.png", colors), scaled(values.astype(float)).transpose(2, 0, 1), atol=1e-6)


def png(values: np.ndarray, bits: int, *, interlaced: bool = False) -> bytes:
    """A PNG of values (H, W, C) as Pillow cannot write it: colors of 16 bits, or interlaced by Adam7."""
    height, width, channels = values.shape
    rows = b""
    for y, x, down, right in ADAM7 if interlaced else ((0, 0, 1, 1),):
        for row in values[y::down, x::right]:
            binary = "".join(f"{value:0{bits}b}" for value in row.ravel())
            binary += "0" * (-len(binary) % 8)
            rows += b"\0" + bytes(int(binary[start : start + 8], 2) for start in range(0, len(binary), 8))
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright_as_a_viewer_shows_it(suffix: str, orientation: int, tmp_path: Path) -> None:
    file = tmp_path / f"a.{suffix}"
    image = Image.fromarray((255 * GRAY).astype(np.uint8))
    image.getexif()[0x0112] = orientation
    image.save(file, exif=image.getexif(), **({"quality": 100} if suffix == "jpg" else {}))
    upright = np.asarray(ImageOps.exif_transpose(image))
    picture = decoded(str(file))
    assert picture.turned == orientation
    assert picture.values.shape[:2] == upright.shape == ((9, 6) if orientation > 4 else (6, 9))
    assert np.abs(picture.values[..., 0].astype(int) - upright).max() <= 2


def test_a_turned_tiff_is_refused(tmp_path: Path) -> None:
    image = Image.fromarray((255 * GRAY).astype(np.uint8))
    image.getexif()[0x0112] = 6
    image.save(tmp_path / "a.tif", exif=image.getexif())
    with pytest.raises(ValueError, match=r"a\.tif is stored turned \(EXIF orientation 6\): save it upright"):
        decoded(str(tmp_path / "a.tif"))


def test_a_picture_that_is_opaque_has_no_alpha_to_lose(tmp_path: Path) -> None:
    deep = np.stack([65535 * GRAY, np.full_like(GRAY, 65535)], axis=-1).astype(int)
    (tmp_path / "a.png").write_bytes(png(deep, 16))
    assert np.allclose(loaded(tmp_path / "a.png"), scaled(GRAY), atol=0.001)
    for mode, in_channels in (("RGBA", 3), ("LA", 1)):
        image = Image.fromarray((255 * GRAY).astype(np.uint8)).convert(mode)
        image.save(tmp_path / "a.png")
        assert np.allclose(loaded(tmp_path / "a.png", in_channels), scaled(GRAY), atol=0.01)
        image.putpixel((0, 0), (0,) * len(mode))
        image.save(tmp_path / "a.png")
        with pytest.raises(ValueError, match=r"a\.png is transparent in 1 pixel\(s\), and nothing says what is behind"):
            picture_values("a.png", decoded(str(tmp_path / "a.png")))


def test_a_palette_is_taken_by_its_colors(tmp_path: Path) -> None:
    image = Image.fromarray((GRAY > 0.5).astype(np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 200, 100, 0])
    for suffix in ("png", "gif", "bmp", "tif"):
        image.save(tmp_path / f"a.{suffix}")
        values = decoded(str(tmp_path / f"a.{suffix}")).values
        assert np.array_equal(np.unique(values.reshape(-1, 3), axis=0), [[10, 20, 30], [200, 100, 0]])


def test_colors_become_gray_as_pillow_makes_them(tmp_path: Path) -> None:
    image = Image.fromarray((255 * COLORS).astype(np.uint8))
    image.save(tmp_path / "a.png")
    found = np.asarray(LoadPicturesd("image", 1)({"image": str(tmp_path / "a.png")})["image"])[0].T
    assert np.abs(found - np.asarray(image.convert("L"))).max() <= 0.51


def several(file: Path) -> None:
    frames = [Image.fromarray((255 * RNG.random((6, 9))).astype(np.uint8)) for _ in range(3)]
    frames[0].save(file, save_all=True, append_images=frames[1:])


@pytest.mark.parametrize("name", ["a.tif", "a.gif", "a.webp", "a.png"])
def test_several_pages_or_frames_are_refused_by_name(name: str, tmp_path: Path) -> None:
    several(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name} holds 3 pages or frames; a picture must be one"):
        decoded(str(tmp_path / name))


def test_other_colors_are_refused_by_name(tmp_path: Path) -> None:
    for mode, name in (("CMYK", "a.jpg"), ("CMYK", "a.tif"), ("LAB", "b.tif")):
        Image.new(mode, (9, 6)).save(tmp_path / name)
        with pytest.raises(ValueError, match=rf"{name} has colors of the kind {mode}; .* convert it to RGB"):
            decoded(str(tmp_path / name))


def test_white_that_is_stored_as_0_is_refused_in_more_than_8_bits(tmp_path: Path) -> None:
    for largest, kind in ((255, np.uint8), (65535, np.uint16)):
        Image.fromarray((largest * GRAY).astype(kind)).save(tmp_path / f"{largest}.tif", tiffinfo={262: 0})
    with Image.open(tmp_path / "255.tif") as image:  # which Pillow inverts
        assert np.array_equal(decoded(str(tmp_path / "255.tif")).values[..., 0], np.asarray(image))
    with pytest.raises(ValueError, match=r"65535\.tif stores white as 0, in more than 8 bits"):
        decoded(str(tmp_path / "65535.tif"))


@pytest.mark.parametrize("content", [b"", b"words", b"%PDF-1.4"])
def test_what_is_no_picture_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.png is not a picture: needed is a PNG, JPEG, .* or WEBP file"):
        decoded(str(tmp_path / "a.png"))


@pytest.mark.parametrize(
    ("values", "kind"),
    [(GRAY, np.float16), (GRAY, np.float64), (GRAY, np.uint64), (COLORS, np.float32), (COLORS, np.int16)],
)
def test_a_tiff_of_another_kind_is_refused_with_the_kinds_that_are_read(
    values: np.ndarray, kind: Any, tmp_path: Path
) -> None:
    (tmp_path / "a.tif").write_bytes(tiff((100 * values).astype(kind)))
    said = (
        r"a\.tif is a TIFF that is damaged or holds values of another kind; needed are 8 or 16 bits, or float32 in gray"
    )
    with pytest.raises(ValueError, match=said):
        decoded(str(tmp_path / "a.tif"))


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp", "gif"])
def test_a_truncated_picture_is_named(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"a.{suffix}"
    Image.fromarray((255 * RNG.random((60, 90, 3))).astype(np.uint8)).save(file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf"a\.{suffix} (cannot be read|is not a picture|is a TIFF that is damaged)"):
        decoded(str(file))
