"""Masks: two values of any kind are background and structure, and what is not plain is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from calib_monai.pictures import decoded, mask_values

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


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    values = np.where(STRUCTURE, np.nan, 0)
    with pytest.raises(ValueError, match=r"a\.tif holds pixels that are NaN or infinite"):
        label(gray(values, np.float32), tmp_path / "a.tif")


def test_with_more_classes_the_values_are_the_classes(tmp_path: Path) -> None:
    classes = np.arange(24 * 32).reshape(24, 32) % 3
    assert np.array_equal(label(gray(classes, np.uint8), tmp_path / "a.png", num_classes=3), classes)
    image = gray(classes, np.uint8).convert("P")
    image.putdata(classes.ravel())
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    assert np.array_equal(label(image, tmp_path / "a.png", num_classes=3), classes)
    with pytest.raises(ValueError, match=r"a\.png holds colors; with more than two classes its gray values must be"):
        label(image.convert("RGB"), tmp_path / "a.png", num_classes=3)
