"""TIFFs: channels and planes that would be left out are refused, and so are colors that would lose bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiffs import tiff

from calib_monai.pictures import LoadPicturesd, decoded

CHANNELS = np.random.default_rng(0).integers(0, 255, (16, 32, 6)).astype(np.uint8)


@pytest.mark.parametrize(
    ("count", "extra", "more"), [(2, (0,), 1), (4, (0,), 1), (5, (0, 0), 2), (6, (0, 0, 0), 3), (5, (2, 0), 2)]
)
@pytest.mark.parametrize("key", ["image", "label"])
def test_channels_that_would_be_left_out_are_refused(
    count: int, extra: tuple[int, ...], more: int, key: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.tif"
    file.write_bytes(tiff(CHANNELS[..., :count], extra=extra))
    with pytest.raises(ValueError, match=r"save each further channel as a file of its own") as told:
        LoadPicturesd(key)({key: str(file)})
    assert str(told.value).startswith(f"{file} has {count} channels (SamplesPerPixel), {more} of them beside its")


def test_further_colors_of_16_bits_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.tif"
    file.write_bytes(tiff(CHANNELS[..., :4].astype(np.uint16), extra=(0,)))
    with pytest.raises(ValueError, match=r"has 4 channels \(SamplesPerPixel\), 1 of them"):
        decoded(str(file))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("alpha", [1, 2])
def test_one_channel_that_is_declared_as_alpha_is_taken(kind: type, alpha: int, tmp_path: Path) -> None:
    values = np.dstack([CHANNELS[..., :3].astype(kind), np.full((16, 32), np.iinfo(kind).max, kind)])
    (tmp_path / "a.tif").write_bytes(tiff(values, extra=(alpha,)))
    found = decoded(str(tmp_path / "a.tif"))
    assert np.array_equal(found.values, values[..., :3])
    assert found.alpha is not None


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "YCbCr", "I", "I;16", "F"])
def test_pictures_without_further_channels_are_taken(mode: str, tmp_path: Path) -> None:
    Image.new(mode, (9, 6)).save(tmp_path / "a.tif")
    assert decoded(str(tmp_path / "a.tif")).values.shape[:2] == (6, 9)


@pytest.mark.parametrize(
    ("description", "planes"),
    [
        ('{"shape": [5, 16, 32], "truncated": true}', 5),
        ('{"shape": [2, 3, 16, 32], "axes": "TZYX", "truncated": true}', 6),
        ('{"shape": [1, 16, 32], "truncated": true}', 1),
        ('{"shape": [16, 32]}', 1),
        ('{"shape": [160, 320]}', 1),  # of what it was cut from
        ("a remark", 1),
    ],
)
def test_planes_without_pages_are_refused(description: str, planes: int, tmp_path: Path) -> None:
    file = tmp_path / "a.tif"
    Image.fromarray(CHANNELS[..., 0]).save(file, tiffinfo={270: description})
    if planes == 1:
        assert np.array_equal(decoded(str(file)).values, CHANNELS[..., :1])
        return
    with pytest.raises(ValueError, match=rf"a\.tif holds {planes} planes by its description, and one page; .* one by"):
        decoded(str(file))


def test_colors_of_16_bits_in_tiles_are_refused_as_such(tmp_path: Path) -> None:
    colors, file = CHANNELS[:, :16, :3], tmp_path / "a.tif"
    file.write_bytes(tiff(colors, tiled=True))
    assert np.array_equal(decoded(str(file)).values, colors)
    file.write_bytes(tiff(colors.astype(np.uint16), tiled=True))
    with pytest.raises(ValueError, match=r"a\.tif stores its colors in tiles, in more than 8 bits: save it without"):
        decoded(str(file))
