"""Cases that are pictures: masks that do not fit each other are refused, and an option that finds cases is told."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from checked_phantoms import model
from monai.bundle import ConfigParser
from monai.transforms import Compose
from PIL import Image

from calib_monai.cases import checked_split
from calib_monai.datalists.busi import busi_split, write_busi
from calib_monai.phantoms import make_phantoms
from calib_monai.split_settings import SplitSettings

BUNDLES = Path(__file__).parents[1] / "bundles"


def pictures() -> Compose:
    """How the bundles load BUSI."""
    config = json.loads((BUNDLES / "busi_nacl" / "configs" / "train.json").read_text())
    return ConfigParser(config).get_parsed_content("loading")


def asked(folder: Path) -> SplitSettings:
    """What a bundle of BUSI asks of its cases."""
    made_for = model(num_classes=2)
    return SplitSettings(
        made_for=made_for, loading=pictures(), ckpt_dir=str(folder), output_dir=str(folder), spatial_dims=2
    )


def test_cases_that_an_option_alone_would_find_are_told_with_that_option(tmp_path: Path) -> None:
    write_busi(str(tmp_path / "BUSI"), make_phantoms(6, seed=3, num_classes=2))
    (tmp_path / "BUSI" / "normal").mkdir()
    for ending in ("", "_mask"):
        source = tmp_path / "BUSI" / "malignant" / f"malignant (1){ending}.png"
        shutil.copy(source, tmp_path / "BUSI" / "normal" / f"normal (1){ending}.png")
    settings = asked(tmp_path)
    for normal in (True, False):
        datalist = partial(busi_split, dataset_dir=str(tmp_path / "BUSI"), normal=normal)
        if normal:
            checked_split(datalist, settings)
        else:
            with pytest.raises(ValueError, match=r"normal \(1\); give the options that training had, --normal True"):
                checked_split(datalist, replace(settings, keep=True))


def test_masks_of_one_image_that_differ_in_size_are_told_with_their_sizes(tmp_path: Path) -> None:
    write_busi(str(tmp_path / "BUSI"), make_phantoms(6, seed=3, num_classes=2))
    masks = [tmp_path / "BUSI" / "benign" / f"benign (1)_mask{ending}.png" for ending in ("", "_1")]
    with Image.open(masks[1]) as mask:
        width, height = mask.size
    Image.new("1", (width - 1, height)).save(masks[1])
    datalist = partial(busi_split, str(tmp_path / "BUSI"))
    sizes = f"{masks[0]} is ({width}, {height}), {masks[1]} is ({width - 1}, {height}) voxels"
    with pytest.raises(ValueError, match=re.escape(f"the files of one label must be of one size, and {sizes}")):
        checked_split(datalist, asked(tmp_path))
