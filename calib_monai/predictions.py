"""Predictions: logits become probabilities and the label, on the grid from which the image came."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Compose, EnsureTyped, Invertd, InvertibleTransform, MapTransform

from calib_monai.case_keys import IMAGE, IMAGE_AND_LABEL
from calib_monai.case_names import case_of
from calib_monai.inverses import InvertProbsd
from calib_monai.tensor_checks import check_gives_logits
from calib_monai.transforms import MostProbabled

MAPS = {"prob": "a probability", "spread": "a spread"}


class NotFiniteError(ValueError):
    """A case whose result holds NaN."""


class ProbsAndLabeld(MapTransform):
    """Makes "prob" (probabilities) and "pred" (the label) from logits, and takes both back to the grid of the image.

    MONAI's engine calls the logits "pred". From here on "pred" is the label. If there are "calibrated_logits", "prob"
    comes from them. The label always comes from the network's own logits: calibrated probabilities that are resampled
    could give other labels, even with a single temperature. If there is a "spread" it is taken back, too.

    Args:
        transform: the transform that was applied to "image", to invert.
    """

    def __init__(self, transform: InvertibleTransform) -> None:
        super().__init__("pred")
        self.invert = InvertProbsd("prob", transform, IMAGE)
        self.labeled = MostProbabled("prob")
        back = Invertd("spread", transform, IMAGE, nearest_interp=False, to_tensor=True)
        self.spread_back = Compose([EnsureTyped("spread"), back])

    def __call__(self, data: Mapping[Any, Any]) -> dict[Hashable, Any]:
        """The data with "prob", (C, H, W[, D]), float32, and "pred", (1, H, W[, D]), uint8, without any logits.

        Raises:
            NotFiniteError: a probability or a spread is NaN; the message names the case.
            ValueError: the network gave probabilities in place of logits.
        """
        told = dict(data)
        logits, calibrated = told.pop("pred"), told.pop("calibrated_logits", None)
        check_gives_logits(torch.as_tensor(logits)[None])
        told["prob"] = self._probs(logits, told)
        told["pred"] = self.labeled({"prob": told["prob"]})["prob"]
        if calibrated is not None:
            told["prob"] = self._probs(calibrated, told)
        if "spread" in told:
            given = {"spread": told["spread"], IMAGE: told[IMAGE]}
            told["spread"] = self.spread_back(given)["spread"]
        for name in sorted({"prob", "spread"} & told.keys()):
            _check_finite(name, told)
        return told

    def _probs(self, logits: Any, data: Mapping[Hashable, Any]) -> Any:
        """The softmax of logits, (C, H, W[, D]), on the grid from which the image came."""
        probs = torch.as_tensor(logits).float().softmax(dim=0)
        return self.invert({"prob": probs, IMAGE: data[IMAGE]})["prob"]


def _check_finite(name: str, data: Mapping[Any, Any]) -> None:
    """Raise NotFiniteError if a map of a case holds NaN; a sum tells it without a mask of all voxels."""
    if not torch.as_tensor(data[name]).sum().isfinite():
        raise NotFiniteError(
            f"the network gives {MAPS[name]} that is no number (NaN) for {case_of(data)}: train again, or give "
            "--amp False if the run has amp; if other cases are predicted, look at the values of this image"
        )


class ScoredOnOriginald(ProbsAndLabeld):
    """Makes "prob" and "pred" as `ProbsAndLabeld`, and "label" and "image" what they were before the preparation.

    A prediction is scored against what loading gave. A copy of this label is under "truth", and one of the image may be
    under "scan"; those that were prepared for the network go.

    Args:
        transform: the preparation.
    """

    def __call__(self, data: Mapping[Any, Any]) -> dict[Hashable, Any]:
        """The data with "prob", "pred", "label", and "image" if there is a "scan"."""
        told = super().__call__(data)
        kept = {name: told[copy] for name, copy in (("image", "scan"), ("label", "truth")) if copy in told}
        return {key: value for key, value in told.items() if key not in IMAGE_AND_LABEL} | kept
