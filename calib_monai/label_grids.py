"""Labels on grids of their own: resampled to the grid of their image, or refused if too much would be lost."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, cast

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, ResampleToMatch
from torch import Tensor

from calib_monai.case_keys import IMAGE, LABEL
from calib_monai.grids import distance_of_grids, half_a_voxel
from calib_monai.orientation import geometry_of

HALF = 0.5  # of a voxel, from its center to its edge
MOST_LOST = 0.02  # the share of a label's voxels that may lie outside its image


class LabelToImaged(MapTransform):
    """MONAI's ResampleToMatchd for labels, which refuses one that would lose more than 2 % of its volume.

    Args:
        keys: labels, (1, H, W, D), class indices; one that is not there is passed over.

    Raises:
        ValueError: from a call, if more of a label lies outside; the message names the label and the share.
    """

    def __init__(self, keys: KeysCollection = LABEL) -> None:
        super().__init__(keys, allow_missing_keys=True)
        self.resample = ResampleToMatch(mode="nearest", padding_mode="zeros")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with the labels on the grid of the image."""
        placed = dict(data)
        for key in self.key_iterator(placed):
            label, image = placed[key], placed[IMAGE]
            lost = share_outside(label, image)
            if lost > MOST_LOST:
                raise ValueError(
                    f"{label.meta['filename_or_obj']} loses {lost:.0%} of its volume on the grid of "
                    f"{image.meta['filename_or_obj']}; at most {MOST_LOST:.0%} may lie outside of the image"
                )
            placed[key] = self.resample(label, image)
        return placed


def check_same_grid(image: Tensor, label: Tensor, names: Mapping[str, str], *, asked: bool) -> None:
    """Raise ValueError if the headers of image and label, which have equal sizes, place their voxels differently.

    Args:
        image: (C, H, W[, D]), as it was loaded.
        label: (1, H, W[, D]), as it was loaded.
        names: what messages call them, under "image" and "label".
        asked: False passes over a difference, unless the loading has moved the label by its header.
    """
    distance, allowed = distance_of_grids(image, label), half_a_voxel(image)
    by_header = bool(getattr(label, "applied_operations", []))
    if distance <= allowed or not (asked or by_header):
        return
    codes = [geometry_of(one).codes for one in (label, image)]
    differ = f"their axes are {' and '.join(codes)}; " if codes[0] != codes[1] else ""
    passes = "--cases#same_grid False takes the image's for both"
    hint = "mend the header: voxels are moved by it" if by_header else passes
    raise ValueError(
        f"{names['label']} lies elsewhere than {names['image']}, by {distance:.3g} mm: their headers must place each "
        f"voxel within half a voxel, {allowed:.3g} mm ({differ}{hint})"
    )


def share_outside(label: MetaTensor, image: MetaTensor) -> float:
    """The share of a label's foreground voxels whose centers lie outside an image; 0 without foreground.

    Args:
        label: (1, H, W, D), class indices.
        image: (C, H, W, D).
    """
    voxels = torch.nonzero(label.as_tensor()[0]).numpy()
    if not len(voxels):
        return 0.0
    to_image = np.linalg.inv(image.affine.numpy()) @ label.affine.numpy()
    places = voxels @ to_image[:3, :3].T + to_image[:3, 3]
    sizes = np.asarray(cast(tuple[int, ...], image.shape[1:]))
    inside = ((places > -HALF) & (places < sizes - HALF)).all(axis=1)
    return 1.0 - float(inside.mean())
