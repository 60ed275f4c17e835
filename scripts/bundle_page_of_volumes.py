"""The page of an exported network for volumes: it tells the settings of its own training, not those of slices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

OVERLAY = r"(?ms)^#### Execute everything with a network for volumes$.*?(?=^#{1,4} |\Z)"  # up to the next title
SLICES = r"The network sees slices; those of the training have .* pixels\."
OF_SLICES = r"(?ms)^This collection's settings: .*?(?=\n\nChange any value)"
NETWORK = r"(?m)^\| `(\w+)` \| [\d,]+ \| (.*) \|\n"  # a row of the table of networks
ABOUT_COUNTS = "for one channel and four classes. A network that cannot take the slices"
OF_PACKAGE = "for this package. A network that cannot take the patches"
OF_CRAC = "; sides in multiples of 32"  # which is so for slices
TOLD = ("epochs", "batch_size", "patches_per_volume", "patch_size", "spacing", "overlap", "learning_rate", "augment")


def page_of_volumes(page: str, train: Mapping[str, Any], counts: Mapping[str, int], overlay: str) -> str:
    """The page of a bundle, where it is one of a network for volumes.

    Args:
        page: of the bundle, which tells the training on slices.
        train: the configuration of the training on volumes.
        counts: the number of weights of each network that the page may name.
        overlay: the file of the bundle that holds what volumes need.
    """
    size, spacing = _times(train["patch_size"]), _times(train["spacing"])
    told = (
        f"The network of this package sees patches of volumes, {size} voxels, in three dimensions. `train.json` and "
        f"`inference.json` hold what `{overlay}` of the bundle sets, such as the learning rate and the batch size.\n\n"
    )
    resampled = f" `pixdim` is {spacing} mm." if "pixdim" in train else ""
    prepared = (
        f"This is told of a network for slices. Here whole volumes are prepared so.{resampled} A training takes random "
        f"patches of {size} voxels from them; evaluation and inference see whole volumes.\n\n"
    )
    page = re.sub(OVERLAY, "", page).replace(" trains a 2D ", " trains a 3D ")
    page = re.sub(SLICES, f"Patches have {size} voxels.", page)
    page = re.sub(OF_SLICES, lambda _: _settings(train), page)
    page = re.sub(NETWORK, lambda row: _row(row[1], row[2], counts), page)
    page = page.replace(ABOUT_COUNTS, OF_PACKAGE).replace("Both take slices that are", "Both take patches that are")
    page = page.replace("## Training configuration\n", f"{prepared}## Training configuration\n", 1)
    return page.replace("## Data\n", f"{told}## Data\n", 1)


def _settings(train: Mapping[str, Any]) -> str:
    """The settings of a training on volumes as options, and its optimizer and schedule."""
    options = [f"`--{name} {_value(train[name])}`" for name in TOLD if train.get(name) is not None]
    parts = {"optimizer": "optimizer", "lr_scheduler": "schedule of the learning rate"}
    named = [
        f"The {word} is `{train[name]['_target_'].rpartition('.')[2]}`."
        for name, word in parts.items()
        if isinstance(train.get(name), dict)
    ]
    return " ".join([f"Settings of this network in `configs/train.json`: {', '.join(options)}.", *named])


def _value(value: Any) -> str:
    """A value as it is written after an option."""
    return f'"{value}"' if isinstance(value, list) else str(value)


def _row(name: str, description: str, counts: Mapping[str, int]) -> str:
    """A network's row of the table; nothing if it is for slices alone."""
    return f"| `{name}` | {counts[name]:,} | {description.replace(OF_CRAC, '')} |\n" if name in counts else ""


def _times(sizes: list[float]) -> str:
    """Sizes along all axes, as 40 x 56 x 40."""
    return " x ".join(f"{size:g}" for size in sizes)
