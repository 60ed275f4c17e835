"""Transforms of MONAI's kind that MONAI lacks."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform


class FillBackgroundd(MapTransform):
    """Gives the background what is missing from a sum of one over the classes.

    The inverse of a crop knows nothing of what it cut off and writes 0 for all classes; there, the network having seen
    nothing, the background's probability is 1.

    Args:
        keys: probabilities, (C, H, W[, D]), class 0 the background.
        allow_missing_keys: whether keys that are not there are passed over.
    """

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False) -> None:  # noqa: FBT001, FBT002 - MONAI's
        super().__init__(keys, allow_missing_keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with the probabilities completed."""
        filled = dict(data)
        for key in self.key_iterator(filled):
            probs = filled[key].clone()
            probs[0] += (1 - probs.sum(dim=0)).clamp(min=0)
            filled[key] = probs
        return filled
