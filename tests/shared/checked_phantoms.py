"""Checked phantoms: the split of a Decathlon folder, as a run has it, and what was warned of."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from monai.transforms import Compose, EnsureChannelFirstd, LoadImaged

from calib_monai.cases import Cases, checked_split
from calib_monai.datalists.hippocampus import hippocampus_split
from calib_monai.split_settings import SplitSettings


def loading(*keys: str) -> Compose:
    return Compose([LoadImaged(keys=keys), EnsureChannelFirstd(keys=keys)])


def model(**others: Any) -> Any:
    """What a model of slices is made for, as far as the check of its cases asks."""
    usual = {"num_classes": 3, "in_channels": 1, "slice_size": (48, 64), "spatial_dims": 2, "axcodes": "stored"}
    return SimpleNamespace(**usual | {"ignore_index": None, "class_names": (), "transforms": Compose([])} | others)


def check(
    folder: Path,
    *,
    made_for: Any = None,
    cropped: bool = False,
    fold: int = 0,
    datalist: Any = None,
    **settings: Any,
) -> Cases:
    """The checked split of a Decathlon folder, or other cases for a model beside it."""
    return checked_split(
        datalist or partial(hippocampus_split, dataset_dir=str(folder), seed=0, fold=fold),
        SplitSettings(
            made_for=made_for or model(),
            loading=loading("image", "label"),
            ckpt_dir=str(folder.parent / "models"),
            output_dir=str(folder.parent / "eval"),
            cropped=cropped,
            **settings,
        ),
    )


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was warned of; a test before, whose run set the level, may have let more be logged."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
