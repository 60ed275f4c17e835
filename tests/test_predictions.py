"""Predictions: "prob" holds probabilities and "pred" the label, whatever MONAI's engine calls the logits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureTyped, ResizeWithPadOrCropd

from calib_monai.predictions import ProbsAndLabeld

LOGITS = torch.randn(3, 6, 6, 2, generator=torch.Generator().manual_seed(0))


def predicted(**others: Any) -> dict[str, torch.Tensor]:
    """A case as the engine leaves it, of an image that was padded."""
    pad = Compose([EnsureTyped("image", track_meta=True), ResizeWithPadOrCropd("image", [6, 6, -1])])
    case = pad({"image": MetaTensor(torch.rand(1, 4, 4, 2), affine=2 * torch.eye(4))})
    return ProbsAndLabeld(pad)({**case, "pred": LOGITS, **others})


def test_logits_become_probabilities_and_the_label_on_the_grid_of_the_image() -> None:
    told = predicted()
    probs = LOGITS.softmax(dim=0)[:, 1:5, 1:5]
    torch.testing.assert_close(told["prob"].as_tensor(), probs)
    assert torch.equal(told["pred"].as_tensor(), probs.argmax(dim=0, keepdim=True).to(torch.uint8))
    assert torch.equal(told["pred"].affine, 2 * torch.eye(4))
    assert set(told) == {"image", "prob", "pred"}


def test_probabilities_are_of_calibrated_logits_and_the_label_of_the_networks_own() -> None:
    calibrated = LOGITS.flip(0) / 2
    told = predicted(calibrated_logits=calibrated)
    torch.testing.assert_close(told["prob"].as_tensor(), calibrated.softmax(dim=0)[:, 1:5, 1:5])
    assert torch.equal(told["pred"].as_tensor()[0], LOGITS.argmax(dim=0)[1:5, 1:5].to(torch.uint8))
    assert set(told) == {"image", "prob", "pred"}


def test_probabilities_in_the_place_of_logits_are_refused() -> None:
    for given in (
        LOGITS.softmax(dim=0),
        LOGITS.softmax(dim=0).half(),
        torch.nn.functional.one_hot(LOGITS.argmax(0), 3),
    ):
        with pytest.raises(ValueError, match=r"^network_def gives probabilities"):
            predicted(pred=given if len(given) == len(LOGITS) else given.movedim(3, 0))
    assert predicted(pred=LOGITS.log_softmax(dim=0)).keys() == {"image", "prob", "pred"}


def test_a_spread_comes_back_to_the_grid_of_the_image() -> None:
    spread = torch.rand(1, 6, 6, 2)
    found = predicted(spread=spread)["spread"]
    torch.testing.assert_close(found.as_tensor(), spread[:, 1:5, 1:5])
    assert torch.equal(found.affine, 2 * torch.eye(4))


@pytest.mark.parametrize("name", ["pred", "calibrated_logits", "spread"])
def test_a_prediction_that_is_no_number_is_refused(name: str) -> None:
    values = LOGITS.clone() if name != "spread" else torch.rand(1, 6, 6, 2)
    values[0, 2, 2, 1] = float("nan" if name == "spread" else "inf")
    with pytest.raises(ValueError, match=r"that is no number \(NaN\) for scan: train again"):
        predicted(**{"case": "scan", name: values})


def test_logits_in_half_precision_become_probabilities_in_single() -> None:
    told = predicted(pred=LOGITS.half())
    assert told["prob"].dtype == torch.float32
    assert told["pred"].dtype == torch.uint8
