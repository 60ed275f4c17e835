"""Loading: the pictures and masks of a case, of one kind whatever their files are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calib_monai.pictures import LoadPicturesd

VALUES = np.random.default_rng(0).integers(0, 256, (6, 9, 3)).astype(np.uint8)


def save(file: Path, values: np.ndarray, orientation: int = 1) -> str:
    image = Image.fromarray(values)
    image.getexif()[0x0112] = orientation
    image.save(file, exif=image.getexif())
    return str(file)


def test_gray_and_colors_are_of_the_channels_that_are_wanted(tmp_path: Path) -> None:
    colors, gray = save(tmp_path / "colors.png", VALUES), save(tmp_path / "gray.png", VALUES[..., 0])
    for in_channels in (1, 3):
        for file in (colors, gray):
            image = LoadPicturesd("image", in_channels)({"image": file})["image"]
            assert image.shape == (in_channels, 9, 6)
    assert np.array_equal(LoadPicturesd("image", 3)({"image": colors})["image"], VALUES.transpose(2, 1, 0))
    repeated = np.asarray(LoadPicturesd("image", 3)({"image": gray})["image"])
    assert (repeated == VALUES[..., 0].T).all()


def test_of_several_files_each_is_a_channel(tmp_path: Path) -> None:
    files = [save(tmp_path / f"{index}.png", VALUES[..., index]) for index in range(2)]
    assert np.array_equal(LoadPicturesd("image", 2)({"image": files})["image"], VALUES[..., :2].transpose(2, 1, 0))


def test_several_masks_are_united_whatever_values_each_has(tmp_path: Path) -> None:
    parts = np.zeros((2, 6, 9), np.uint8)
    parts[0, :2], parts[1, 4:] = 1, 255
    files = [save(tmp_path / f"{index}.png", part) for index, part in enumerate(parts)]
    label = LoadPicturesd("label")({"label": files})["label"]
    assert np.array_equal(label, (parts.any(axis=0)).T[None])


def test_keys_that_are_not_there_may_be_passed_over(tmp_path: Path) -> None:
    file = save(tmp_path / "a.png", VALUES)
    assert set(LoadPicturesd(["image", "label"], allow_missing_keys=True)({"image": file})) == {"image"}


@pytest.mark.parametrize(
    ("picture", "mask", "upright", "said"),
    [
        (6, 6, (9, 6), None),  # both turned
        (6, 1, (9, 6), None),  # the mask is of the picture as it is shown, as its size tells
        (3, 1, (6, 9), "EXIF orientation 3.*otherwise .orientation 1.*save both upright"),
        (1, 3, (6, 9), "EXIF orientation 1.*otherwise .orientation 3"),
        (6, 8, (9, 6), "EXIF orientation 6.*otherwise .orientation 8"),
    ],
)
def test_a_mask_is_of_the_picture_as_it_is_shown_or_the_case_is_refused(
    picture: int, mask: int, upright: tuple[int, int], said: str | None, tmp_path: Path
) -> None:
    structure = np.zeros((6, 9) if mask > 1 or upright == (6, 9) else upright, np.uint8)
    structure[:2, :2] = 255
    files = {
        "image": save(tmp_path / "a.png", VALUES, picture),
        "label": save(tmp_path / "a_mask.png", structure, mask),
    }
    load = LoadPicturesd(["image", "label"])
    if said:
        with pytest.raises(ValueError, match=said):
            load(files)
    else:
        loaded = load(files)
        assert loaded["image"].shape == loaded["label"].shape == (1, *upright[::-1])
