"""Masks: two values of any kind are background and structure, and what is not plain is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiffs import tiff

from calib_monai.pictures import LoadPicturesd, decoded, mask_values

STRUCTURE = np.zeros((24, 32), bool)
STRUCTURE[5:15, 8:20] = True


def label(image: Image.Image, file: Path, *, options: dict[str, Any] | None = None, **rule: Any) -> np.ndarray:
    """The label of a mask once it has been written."""
    image.save(file, **(options or {}))
    return mask_values(file.name, decoded(str(file)), **rule)


def painted(mode: str, background: Any, structure: Any) -> Image.Image:
    """A mask of these two values."""
    image = Image.new(mode, STRUCTURE.shape[::-1], background)
    image.paste(structure, mask=Image.fromarray(STRUCTURE))
    return image


def gray(values: np.ndarray, kind: Any) -> Image.Image:
    return Image.fromarray(values.astype(kind))


def palette(background: tuple[int, ...], structure: tuple[int, ...]) -> Image.Image:
    """A mask of the indices 0 and 1, shown in these colors."""
    image = Image.fromarray(STRUCTURE.astype(np.uint8), mode=None).convert("P")
    image.putdata(STRUCTURE.astype(np.uint8).ravel())
    image.putpalette([*background, *structure])
    return image


TWO_VALUES: dict[str, tuple[str, Callable[[], Image.Image]]] = {
    "1 bit": ("a.png", lambda: Image.fromarray(STRUCTURE)),
    "0 and 1": ("a.png", lambda: painted("L", 0, 1)),
    "0 and 255": ("a.png", lambda: painted("L", 0, 255)),
    "1 and 2": ("a.png", lambda: painted("L", 1, 2)),
    "0 and 128": ("a.bmp", lambda: painted("L", 0, 128)),
    "0 and 1 in 16 bits": ("a.png", lambda: gray(STRUCTURE, np.uint16)),
    "0 and 65535": ("a.png", lambda: gray(65535 * STRUCTURE.astype(int), np.uint16)),
    "0 and 256": ("a.png", lambda: gray(256 * STRUCTURE.astype(int), np.uint16)),
    "255 and 256": ("a.tif", lambda: gray(255 + STRUCTURE, np.uint16)),
    "0 and 2 ** 24 + 1": ("a.tif", lambda: gray((2**24 + 1) * STRUCTURE.astype(int), np.int32)),
    "floating point": ("a.tif", lambda: gray(STRUCTURE, np.float32)),
    "RGB": ("a.png", lambda: painted("RGB", (0, 0, 0), (255, 255, 255))),
    "RGB of 0 and 1": ("a.png", lambda: painted("RGB", (0, 0, 0), (1, 1, 1))),
    "red on black": ("a.png", lambda: painted("RGB", (0, 0, 0), (200, 0, 0))),
    "RGBA": ("a.png", lambda: painted("RGBA", (0, 0, 0, 255), (255, 255, 255, 255))),
    "RGBA that is transparent everywhere": ("a.png", lambda: painted("RGBA", (0, 0, 0, 0), (255, 255, 255, 0))),
    "alpha alone, of black": ("a.png", lambda: painted("RGBA", (0, 0, 0, 0), (0, 0, 0, 255))),
    "alpha alone, of white": ("a.png", lambda: painted("LA", (255, 0), (255, 255))),
    "alpha alone, of red": ("a.png", lambda: painted("RGBA", (255, 0, 0, 0), (255, 0, 0, 255))),
    "color and alpha": ("a.png", lambda: painted("RGBA", (0, 0, 0, 0), (255, 0, 0, 128))),
    "gray and alpha": ("a.webp", lambda: painted("RGBA", (0, 0, 0, 255), (255, 255, 255, 255))),
    "palette of black and red": ("a.png", lambda: palette((0, 0, 0), (128, 0, 0))),
    "palette of purple and yellow": ("a.png", lambda: palette((68, 1, 84), (253, 231, 37))),
    "palette of one color": ("a.png", lambda: palette((0, 0, 0), (0, 0, 0))),
    "palette of grays the other way around": ("a.png", lambda: palette((255, 255, 255), (0, 0, 0))),
    "GIF": ("a.gif", lambda: painted("L", 0, 255)),
    "TIFF": ("a.tif", lambda: painted("L", 0, 255)),
}


@pytest.mark.parametrize("name", TWO_VALUES)
def test_of_two_values_the_larger_is_the_structure(name: str, tmp_path: Path) -> None:
    file, make = TWO_VALUES[name]
    options = {"lossless": True} if file.endswith("webp") else {}
    expected = ~STRUCTURE if name.endswith("the other way around") else STRUCTURE
    assert np.array_equal(label(make(), tmp_path / file, options=options), expected)


@pytest.mark.parametrize("rule", [{}, {"threshold": 0}, {"num_classes": 3}])
@pytest.mark.parametrize("mode", ["1", "L"])
def test_white_that_is_stored_as_0_is_refused(mode: str, rule: dict[str, Any], tmp_path: Path) -> None:
    image = painted(mode, 0, 1)
    said = "a.tif stores white as 0 (PhotometricInterpretation 0), and nothing says which of its values was meant"
    with pytest.raises(ValueError, match="^" + re.escape(said)) as refused:
        label(image, tmp_path / "a.tif", options={"tiffinfo": {262: 0}}, **rule)
    assert "\n" not in str(refused.value)
    for options in ({}, {"compression": "group4"}, {"tiffinfo": {262: 1}}):
        if mode == "1" or "compression" not in options:
            assert label(image, tmp_path / "a.tif", options=options, threshold=0).sum() == STRUCTURE.sum()


@pytest.mark.parametrize(("low", "high", "kind"), [(-1, 0, np.int8), (-2, 7, np.int8), (0, 2**32 - 1, np.uint32)])
def test_a_value_below_0_is_the_smaller_one(low: int, high: int, kind: Any, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(np.where(STRUCTURE, high, low).astype(kind)))
    picture = decoded(str(tmp_path / "a.tif"))
    assert np.array_equal(mask_values("a.tif", picture), STRUCTURE)
    assert np.array_equal(mask_values("a.tif", picture, threshold=0), STRUCTURE if high > 0 else 0 * STRUCTURE)
    classes = mask_values("a.tif", picture, num_classes=3)
    assert np.array_equal(classes, np.where(STRUCTURE, high, low).astype(np.float32))


@pytest.mark.parametrize("mode", ["1", "L", "I;16", "RGB", "RGBA", "P", "LA"])
def test_a_mask_that_is_black_everywhere_shows_nothing(mode: str, tmp_path: Path) -> None:
    opaque = {"RGBA": (0, 0, 0, 255), "LA": (0, 255)}
    image = Image.new(mode, (32, 24), opaque.get(mode, 0))
    assert not label(image, tmp_path / "a.png").any()
    if mode != "I;16":
        assert not label(image.convert("RGB"), tmp_path / "a.jpg").any()


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (Image.new("L", (32, 24), 255), "a.png holds one value only, 255, and nothing says whether that is"),
        (Image.new("L", (32, 24), 1), "a.png holds one value only, 1, "),
        (Image.new("1", (32, 24), 1), "a.png holds one value only, "),
        (Image.new("RGBA", (32, 24), (9, 8, 7, 255)), "a.png holds one value only, (9, 8, 7), "),
        (gray(np.arange(24 * 32).reshape(24, 32) % 3, np.uint8), "a.png holds 3 values, 0, 1, 2; a mask must hold two"),
        (gray(np.arange(24 * 32).reshape(24, 32), np.uint16), "a.png holds 768 values, 0, 1, 2, 3, 4 ... 767; "),
        (painted("RGB", (255, 255, 255), (255, 0, 0)), "a.png holds (255, 0, 0) and (255, 255, 255), and nothing says"),
        (painted("RGB", (0, 255, 0), (255, 0, 0)), "a.png holds (0, 255, 0) and (255, 0, 0), and nothing says"),
        (painted("LA", (255, 0), (0, 255)), "a.png holds (0, 255) and (255, 0), and nothing says"),
        (palette((255, 255, 255), (255, 0, 0)), "a.png holds (255, 255, 255) and (255, 0, 0), and nothing says"),
    ],
)
def test_what_is_not_plain_is_refused_with_file_and_values(image: Image.Image, said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(said)) as refused:
        label(image, tmp_path / "a.png")
    assert "\n" not in str(refused.value)


def test_the_noise_of_a_jpeg_is_refused_and_a_threshold_takes_it(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    with pytest.raises(ValueError, match=r"a\.jpg holds \d+ values, .*JPEG.*change values.*--mask_threshold"):
        label(painted("L", 0, 255), file)
    assert np.array_equal(label(painted("L", 0, 255), file, threshold=127), STRUCTURE)
    assert np.array_equal(label(painted("RGB", (0, 0, 0), (255, 255, 255)), file, threshold=127), STRUCTURE)
    with pytest.raises(ValueError, match=r"a\.jpg holds .*too near for a JPEG|a\.jpg holds \d+ values"):
        label(painted("L", 0, 3), file, options={"quality": 100})


@pytest.mark.parametrize(
    ("mode", "background", "structure"),
    [
        ("RGBA", (255, 255, 255, 0), (255, 255, 255, 255)),
        ("RGBA", (0, 0, 0, 0), (0, 0, 0, 255)),
        ("RGBA", (255, 255, 255, 20), (255, 255, 255, 200)),
        ("LA", (255, 0), (255, 255)),
        ("RGBA", (0, 0, 0, 255), (255, 255, 255, 255)),
        ("RGBA", (0, 0, 0, 0), (255, 255, 255, 255)),
        ("RGBA", (0, 0, 0, 128), (255, 255, 255, 128)),
    ],
)
def test_a_threshold_takes_the_alpha_where_it_is_not_the_same(
    mode: str, background: Any, structure: Any, tmp_path: Path
) -> None:
    assert np.array_equal(label(painted(mode, background, structure), tmp_path / "a.png", threshold=127), STRUCTURE)


def test_black_on_nothing_is_refused_with_a_threshold_too(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^a\.png is transparent wherever its gray value is above 127, and nothing"):
        label(painted("RGBA", (255, 255, 255, 0), (0, 0, 0, 255)), tmp_path / "a.png", threshold=127)


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    values = np.where(STRUCTURE, np.nan, 0)
    with pytest.raises(ValueError, match=r"a\.tif holds pixels that are NaN or infinite"):
        label(gray(values, np.float32), tmp_path / "a.tif")


CLASSES = np.zeros((24, 32), np.uint8)
CLASSES[2:8, 3:9], CLASSES[10:20, 4:15], CLASSES[12:18, 20:30] = 1, 2, 3
VOC = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]  # the palette of PASCAL VOC begins so


def indexed(classes: np.ndarray, colors: list[int]) -> Image.Image:
    """A mask of classes as indices of a palette."""
    image = gray(classes, np.uint8).convert("P")
    image.putdata(classes.ravel())
    image.putpalette(colors)
    return image


@pytest.mark.parametrize("absent", [None, 0, 1, 2, 3])
@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("a.png", lambda image: image.quantize(256)),
        ("a.png", lambda image: image.convert("RGB").quantize(4)),
        ("a.png", lambda image: image.convert("P")),
        ("a.gif", lambda image: image),
        ("a.webp", lambda image: image),
    ],
    ids=["quantized", "quantized colors", "gray palette", "GIF", "WebP without loss"],
)
def test_the_gray_values_of_a_palette_are_the_classes(
    name: str, changed: Callable[[Image.Image], Image.Image], absent: int | None, tmp_path: Path
) -> None:
    classes = np.where(absent == CLASSES, 3 if absent == 0 else 0, CLASSES)
    image = changed(gray(classes, np.uint8))
    assert np.array_equal(label(image, tmp_path / name, options={"lossless": True}, num_classes=4), classes)


@pytest.mark.parametrize("absent", [None, 0, 1, 2, 3])
@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif"])
@pytest.mark.parametrize(
    "colors", [VOC, [*VOC, *(224, 224, 192) * 250], [68, 1, 84, 49, 104, 142, 53, 183, 121, 9, 9, 9]]
)
def test_the_indices_of_a_palette_of_colors_are_the_classes(
    colors: list[int], name: str, absent: int | None, tmp_path: Path
) -> None:
    classes = np.where(absent == CLASSES, 3 if absent == 0 else 0, CLASSES)
    assert np.array_equal(label(indexed(classes, colors), tmp_path / name, num_classes=4), classes)


def test_a_gray_color_among_others_is_a_class_by_its_index(tmp_path: Path) -> None:
    classes = 3 * (CLASSES == 3)
    image = indexed(classes, [*VOC[:9], 128, 128, 128])  # as the cars of PASCAL VOC, in a picture of nothing else
    assert np.array_equal(label(image, tmp_path / "a.png", num_classes=4), classes)


@pytest.mark.parametrize("absent", [None, 1])
def test_colors_that_a_program_ordered_anew_are_refused(absent: int | None, tmp_path: Path) -> None:
    classes = np.where(absent == CLASSES, 0, CLASSES)
    said = "a.gif has a palette of colors, and nothing says which color is which class (a GIF holds its colors in any"
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        label(indexed(classes, VOC), tmp_path / "a.gif", num_classes=4)
    assert "\n" not in str(refused.value)
    colors = np.reshape(VOC, (-1, 3)).astype(np.uint8)[classes]
    with pytest.raises(ValueError, match=r"it holds 3 colors for 4 classes|black is not its first color"):
        label(Image.fromarray(colors).quantize(8), tmp_path / "a.png", num_classes=4)


@pytest.mark.parametrize("suffix", ["png", "gif", "bmp", "tif"])
def test_a_mask_of_classes_that_is_black_everywhere_shows_nothing(suffix: str, tmp_path: Path) -> None:
    assert not label(Image.new("L", (32, 24)), tmp_path / f"a.{suffix}", num_classes=4).any()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jpg", {"quality": 75}),
        ("a.jpg", {"quality": 100}),
        ("a.webp", {"quality": 95}),
        ("a.tif", {"compression": "jpeg"}),
    ],
)
def test_classes_in_a_file_that_changes_values_are_refused(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    said = f"^{name} is a JPEG, or compressed like one, which changes values; .*: save masks as PNG$"
    with pytest.raises(ValueError, match=said):
        label(gray(CLASSES, np.uint8), tmp_path / name, options=options, num_classes=4)


def test_the_noise_of_a_lossy_webp_is_as_that_of_a_jpeg(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"too near for a JPEG or a lossy WebP|a\.webp holds \d+ values"):
        label(painted("L", 0, 1), tmp_path / "a.webp", options={"quality": 95})
    in_alpha = painted("RGBA", (255, 255, 255, 0), (255, 255, 255, 255))
    assert np.array_equal(label(in_alpha, tmp_path / "b.webp", options={"exact": True}), STRUCTURE)


def test_a_threshold_finds_no_classes(tmp_path: Path) -> None:
    said = "mask_threshold is 127, and there are 4 classes; it finds one structure"
    with pytest.raises(ValueError, match=said):
        label(gray(CLASSES, np.uint8), tmp_path / "a.png", num_classes=4, threshold=127)
    with pytest.raises(ValueError, match=said):
        LoadPicturesd("image", num_classes=4, mask_threshold=127)


def test_with_more_classes_the_values_are_the_classes(tmp_path: Path) -> None:
    classes = np.arange(24 * 32).reshape(24, 32) % 3
    assert np.array_equal(label(gray(classes, np.uint8), tmp_path / "a.png", num_classes=3), classes)
    image = gray(classes, np.uint8).convert("P")
    image.putdata(classes.ravel())
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    assert np.array_equal(label(image, tmp_path / "a.png", num_classes=3), classes)
    with pytest.raises(ValueError, match=r"a\.png holds colors; with more than two classes its gray values must be"):
        label(image.convert("RGB"), tmp_path / "a.png", num_classes=3)
