"""Ways to be wrong, and right, with pictures and masks, each in BUSI's folder or as an input of its bundle."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from committed import write_dataset
from PIL import Image
from spoiled import Change
from wrong_inputs import Wrong

from calib_monai.datalists.files import Volumes
from calib_monai.phantoms import make_phantoms

NAME = "benign (2)"
PICTURE, MASK = f"benign/{NAME}.png", f"benign/{NAME}_mask.png"
SMALL = {"dataset_dir": "{}/busi", "slice_size": [64, 64]}
ORACLE = {
    "ckpt_dir": "{}/oracle",
    "network_def": {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 2, "kernel_size": 1},
}


@cache
def six_phantoms() -> Volumes:
    """Which are written many times."""
    return make_phantoms(6, seed=5, num_classes=2)


def spoiled(path: str, edit: Callable[[Image.Image], Image.Image], **options: Any) -> Change:
    """Six phantoms in BUSI's folder, of which one file is another."""

    def change(folder: Path) -> None:
        write_dataset("busi", folder / "busi", six_phantoms())
        for file in sorted((folder / "busi").glob(path)):
            with Image.open(file) as image:
                edited = edit(image.copy())
            edited.save(file, **{"format": "PNG", **options})

    return change


def given(*images: Image.Image, name: str = "a.tif") -> Change:
    """An input of these pages, and a model that calls what is light a lesion."""

    def change(folder: Path) -> None:
        (folder / "oracle").mkdir()
        weights = {"weight": torch.tensor([0.0, 20]).reshape(2, 1, 1, 1), "bias": torch.tensor([0.0, -10])}
        torch.save(weights, folder / "oracle" / "model.pt")
        (folder / "oracle" / "model.json").write_text("{}")
        (folder / "inputs").mkdir()
        pages = {"save_all": True, "append_images": images[1:]} if len(images) > 1 else {}
        images[0].save(folder / "inputs" / name, **pages)

    return change


def with_values(*values: int) -> Callable[[Image.Image], Image.Image]:
    """A mask whose rows hold these values in turn."""

    def edited(image: Image.Image) -> Image.Image:
        rows = np.resize(np.array(values, np.uint8), image.height)
        return Image.fromarray(np.repeat(rows[:, None], image.width, axis=1))

    return edited


def gray(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"), np.uint16)


def recolored(background: tuple[int, ...], structure: tuple[int, ...]) -> Callable[[Image.Image], Image.Image]:
    """A mask in these colors."""
    colors = np.array([background, structure], np.uint8)
    return lambda image: Image.fromarray(colors[np.asarray(image.convert("L")) // 255])


def mask(name: str, said: str | None, edit: Callable[[Image.Image], Image.Image], **options: Any) -> Wrong:
    """A training with another mask."""
    return Wrong(name, said, spoiled(MASK, edit, **options), options=SMALL, dataset="busi")


def picture(name: str, said: str | None, edit: Callable[[Image.Image], Image.Image], **options: Any) -> Wrong:
    """A training with another picture."""
    return Wrong(name, said, spoiled(PICTURE, edit, **options), options=SMALL, dataset="busi")


def predicted(name: str, said: str | None, change: Change, file: str) -> Wrong:
    """An inference of BUSI's bundle on another input."""
    return Wrong(name, said, change, "inference", ORACLE | {"input": "{}/inputs/" + file}, dataset="busi")


def mixed(folder: Path) -> None:
    """A mask of 0 and 1, one of 0 and 65535, one of red on black, and a picture of 12 bits, among others."""
    write_dataset("busi", folder / "busi", six_phantoms())
    edits: dict[str, Callable[[Image.Image], Image.Image]] = {
        "benign/benign (2)_mask.png": lambda image: Image.fromarray(gray(image) // 255),
        "benign/benign (3)_mask.png": lambda image: Image.fromarray(gray(image) * 257),
        "malignant/malignant (1)_mask.png": recolored((0, 0, 0), (255, 0, 0)),
        "malignant/malignant (2).png": lambda image: Image.fromarray(gray(image) * 16),
    }
    for path, edit in edits.items():
        with Image.open(folder / "busi" / path) as image:
            edited = edit(image.copy())
        edited.save(folder / "busi" / path)


TURNED = Image.Exif()
TURNED[0x0112] = 3  # its orientation, by half a turn
PAGES = [Image.new("L", (40, 30), 50 * index) for index in range(4)]
HALF = Image.fromarray(np.repeat(np.array([0, 255], np.uint8), 15)[:, None] * np.ones((1, 40), np.uint8))

WRONG_PICTURES = [
    mask(
        "a mask of three values",
        r"benign \(2\)_mask.png holds 3 values, 0, 1, 2; a mask must hold two",
        with_values(0, 1, 2),
    ),
    mask(
        "a mask in JPEG",
        r"benign \(2\)_mask.png holds \d+ values, .*JPEG.*--mask_threshold",
        lambda i: i.convert("L"),
        format="JPEG",
    ),
    mask("a white mask", r"benign \(2\)_mask.png holds one value only, 255", with_values(255)),
    mask(
        "a mask of red on white", r"_mask.png holds .*and nothing says which", recolored((255, 255, 255), (255, 0, 0))
    ),
    mask(
        "a mask of another size",
        r"benign \(2\).png is .* and .*_mask.png is .* they must be equal",
        lambda i: i.resize((40, 30)),
    ),
    picture(
        "an animated picture",
        r"benign \(2\).png holds 3 pages or frames",
        lambda i: i,
        format="GIF",
        save_all=True,
        append_images=PAGES[1:3],
    ),
    picture("CMYK", r"benign \(2\).png has colors of the kind CMYK", lambda i: i.convert("CMYK"), format="JPEG"),
    picture("transparent pixels", r"benign \(2\).png is transparent in", recolored((9, 9, 9, 0), (200, 200, 200, 255))),
    picture(
        "half a picture turned",
        r"benign \(2\).png is to be turned .*save both upright",
        lambda i: i,
        exif=TURNED,
    ),
    Wrong("pictures and masks of many kinds", None, mixed, options=SMALL, dataset="busi"),
    predicted("several pages", "a.tif holds 4 pages or frames", given(*PAGES), "a.tif"),
    predicted("an animation", "a.gif holds 4 pages or frames", given(*PAGES, name="a.gif"), "a.gif"),
    predicted(
        "a volume for a picture",
        "image.nii.gz is not a picture: needed is",
        lambda f: (
            given(HALF)(f),
            (f / "data" / "imagesTr" / "phantom_002.nii.gz").rename(f / "inputs" / "image.nii.gz"),
        ),
        "image.nii.gz",
    ),
    predicted("one page of a TIFF", None, given(HALF), "a.tif"),
    predicted("WebP", None, given(HALF, name="a.webp"), "a.webp"),
    Wrong(
        "a picture for a volume",
        "a.tif is a picture; needed is a volume",
        given(*PAGES),
        "inference",
        {"input": "{}/inputs/a.tif"},
        after_training=True,
    ),
]
