"""MSD prostate: two cases of the release call the central gland 1."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import LoadImaged

from calib_monai.datalists import msd_prostate
from calib_monai.datalists.msd_prostate import WholeGlandd

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "Task05_Prostate_labels" / "labelsTr"
COUNT = 45166


def item(case: str, voxels: int, besides: float = 0.0) -> dict[str, Any]:
    """A case whose label has so many voxels of 1, and one of another label."""
    label = torch.zeros(1, 320, 320, 1)
    label.view(-1)[:voxels], label.view(-1)[-1] = 1, besides
    return {"case": case, "label": MetaTensor(label)}


def test_the_one_label_of_a_case_known_by_name_and_voxels_becomes_central_gland(
    caplog: pytest.LogCaptureFixture,
) -> None:
    msd_prostate._tell.cache_clear()
    given = item("prostate_18", COUNT)
    with caplog.at_level(logging.INFO, "calib_monai"):
        for _ in range(2):
            label = WholeGlandd()(given)["label"]
    assert label.unique(return_counts=True)[1].tolist() == [320 * 320 - COUNT, COUNT]
    assert label.max() == 2
    assert isinstance(label, MetaTensor)
    assert given["label"].max() == 1
    assert caplog.messages == ["prostate_18: the label 1 of its file is central gland, and becomes class 2"]


@pytest.mark.parametrize(
    ("case", "voxels", "besides"),
    [("prostate_17", COUNT, 0), ("prostate_18", COUNT + 1, 0), ("prostate_18", COUNT, 2), ("prostate_32", COUNT, 0)],
)
def test_any_other_label_stays(case: str, voxels: int, besides: float) -> None:
    given = item(case, voxels, besides)
    assert WholeGlandd()(given)["label"] is given["label"]


@pytest.mark.skipif(not REAL.is_dir(), reason="the labels of the release are not there")
@pytest.mark.parametrize(
    ("case", "values"), [("prostate_18", [0, 2]), ("prostate_32", [0, 2]), ("prostate_00", [0, 1, 2])]
)
def test_the_released_labels_are_known(case: str, values: list[int]) -> None:
    load = LoadImaged(keys="label", ensure_channel_first=True)
    label = WholeGlandd()(load({"case": case, "label": REAL / f"{case}.nii.gz"}))["label"]
    assert label.unique().tolist() == values
