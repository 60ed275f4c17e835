"""Palettes: one color is one class in all masks of a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calib_monai.pictures.palettes import check_palettes, colors_of

BLACK, RED, GREEN = (0, 0, 0), (255, 0, 0), (0, 255, 0)


def mask(path: Path, colors: tuple[tuple[int, ...], ...], shown: tuple[int, ...] = (0, 1, 2)) -> str:
    """A mask with a palette of these colors, which shows some of them."""
    image = Image.fromarray(np.resize(np.array(shown, np.uint8), (6, 6)), "P")
    image.putpalette([value for color in colors for value in color])
    image.save(path)
    return str(path)


def test_a_color_of_two_classes_is_refused(tmp_path: Path) -> None:
    first, second = mask(tmp_path / "a.png", (BLACK, RED, GREEN)), mask(tmp_path / "b.png", (BLACK, GREEN, RED))
    with pytest.raises(ValueError, match=r"color 0, 255, 0 is number 1 in the palette of .*b.png and number 2 in .*a."):
        check_palettes((file, colors_of(file)) for file in (first, second))


def test_other_masks_are_passed_over(tmp_path: Path) -> None:
    Image.fromarray(np.eye(6, dtype=np.uint8)).save(tmp_path / "gray.png")
    masks = [
        mask(tmp_path / "a.png", (BLACK, RED, GREEN)),
        mask(tmp_path / "again.png", (BLACK, RED, GREEN)),
        mask(tmp_path / "without_red.png", (BLACK, GREEN, GREEN), shown=(0, 2)),
        mask(tmp_path / "gray_palette.png", (BLACK, (2, 2, 2), (1, 1, 1))),
    ]
    check_palettes((file, colors_of(file)) for file in (*masks, str(tmp_path / "gray.png"), "label.nii.gz"))
