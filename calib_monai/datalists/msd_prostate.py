"""Prostate of the Medical Segmentation Decathlon: its folder is read and written here."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform

from calib_monai.case_keys import LABEL
from calib_monai.datalists.decathlon import decathlon_layout, write_decathlon
from calib_monai.datalists.files import Volumes
from calib_monai.datalists.splits import Case, Split

LAYOUT = decathlon_layout(counts=(22, 3, 7))  # as in MbLS; an image holds T2 and ADC along its fourth axis
CLASS_NAMES = ("background", "PZ", "TZ")  # as its dataset.json calls them; the papers say CG for TZ
CENTRAL_GLANDS = {"prostate_18": 45166, "prostate_32": 25688}  # voxels of label 1 in files without a 2
SPACING = (0.625, 0.625, 3.6)  # mm, of phantoms

logger = logging.getLogger(__name__)


def msd_prostate_split(dataset_dir: str, seed: int = 0, fold: int = 0) -> Split:
    """Training, validation and test cases of the folder, as `Layout.split` gives them."""
    return LAYOUT.split(dataset_dir, seed, fold)


def read_msd_prostate(dataset_dir: str) -> list[Case]:
    """All cases of the folder, as `Layout.read` gives them."""
    return LAYOUT.read(dataset_dir)


def write_msd_prostate(dataset_dir: str, cases: Volumes) -> None:
    """Write cases of classes 0, 1, 2 as the folder; files of the same name are replaced.

    The images are 4D, T2 and ADC, which shows the structures dark.
    """
    both = {name: (np.stack([t2, t2.max() - t2], axis=-1), label) for name, (t2, label) in cases.items()}
    write_decathlon(dataset_dir, both, "PROSTATE", ["T2", "ADC"], CLASS_NAMES, SPACING)


class WholeGlandd(MapTransform):
    """Changes the label 1 of two released cases to 2: it is the central gland there, without a peripheral zone.

    A case is recognized by its name and by the number of its voxels, so that a corrected release stays as it is.

    Args:
        keys: labels, (1, H, W, D); one that is not there is passed over.
    """

    def __init__(self, keys: KeysCollection = LABEL) -> None:
        super().__init__(keys, allow_missing_keys=True)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with the labels of these cases as 2."""
        relabeled, case = dict(data), str(data.get("case", ""))
        for key in self.key_iterator(relabeled):
            label = relabeled[key]
            if case in CENTRAL_GLANDS and label.max() == 1 and (label == 1).sum() == CENTRAL_GLANDS[case]:
                relabeled[key] = 2 * label
                _tell(case)
        return relabeled


@cache
def _tell(case: str) -> None:
    """Log once in a process that a case was relabeled."""
    logger.info("%s: the label 1 of its file is central gland, and becomes class 2", case)
