"""Fits of LTS: what was predicted in inference mode is taken, and weights in half precision are not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from calib_monai.posthoc import LocalTemperatureScaling

Item = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
Predictions = Callable[..., list[Item]]


def test_a_fit_takes_what_was_predicted_in_inference_mode(predictions: Predictions) -> None:
    data = predictions(12, 12)
    with torch.inference_mode():
        made = [tuple(part.clone() for part in item) for item in data]
    report = LocalTemperatureScaling(3, 1).fit(made, epochs=5, learning_rate=0.01)
    usual = LocalTemperatureScaling(3, 1).fit(data, epochs=5, learning_rate=0.01)
    assert report == usual
    calibrator = LocalTemperatureScaling(3, 1)
    with torch.inference_mode():  # as in a handler of an evaluator
        assert calibrator.fit(data, epochs=5, learning_rate=0.01) == usual
        with pytest.raises(ValueError, match=r"the weights were made in torch.inference_mode, and cannot be trained"):
            LocalTemperatureScaling(3, 1).fit(data)


def test_weights_in_half_precision_are_not_fitted(predictions: Predictions) -> None:
    with pytest.raises(ValueError, match=r"the weights are torch.float16; a fit needs float32 or float64"):
        LocalTemperatureScaling(3, 1).half().fit(predictions(12, 12))
