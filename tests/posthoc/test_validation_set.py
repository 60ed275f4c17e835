"""What fitting refuses, whichever calibrator is fitted, and how it says so."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from calib_monai.posthoc import LocalTemperatureScaling, TemperatureScaling

Item = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
Predictions = Callable[..., list[Item]]


@pytest.fixture(params=[TemperatureScaling, lambda: LocalTemperatureScaling(3, 1)], ids=["ts", "lts"])
def calibrator(request: pytest.FixtureRequest) -> TemperatureScaling | LocalTemperatureScaling:
    return request.param()


def changed(tensor: torch.Tensor, value: float) -> torch.Tensor:
    """The same with one value replaced."""
    other = tensor.clone()
    other.view(-1)[7] = value
    return other


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda logits, *_: [changed(logits, math.nan)], "it is 1 parts"),
        (lambda logits, *_: logits, "it is Tensor"),
        (lambda logits, *rest: (changed(logits, math.nan), *rest), "logits hold values from nan to nan"),
        (lambda logits, *rest: (changed(logits, math.inf), *rest), "to inf; all must be finite"),
        (lambda logits, *rest: (logits.softmax(dim=1), *rest), "the logits are probabilities.*give log"),
        (lambda logits, *rest: (logits.softmax(dim=1).half(), *rest), "the logits are probabilities"),
        (lambda logits, target, image: (logits, target, changed(image, -math.inf)), "image hold values from -inf"),
        (lambda logits, target, image: (logits, changed(target, 3), image), "the label 3; with 3 classes"),
        (lambda logits, target, image: (logits, target[:, 0], image), r"target is \(2, 8, 9\)"),
        (lambda logits, target, image: (logits, target, image[..., :5]), r"image is \(2, 1, 8, 5\)"),
        (lambda logits, target, image: (logits[:, :1], target, image), "1 channel"),
        (lambda logits, target, image: (logits.long(), target, image), "int64"),
    ],
)
def test_an_item_that_cannot_be_fitted_to_is_named(
    calibrator: TemperatureScaling | LocalTemperatureScaling,
    change: Callable[..., Any],
    said: str,
    predictions: Predictions,
) -> None:
    data: list[Any] = predictions(8, 9)
    data[1] = change(*data[1])
    with pytest.raises(ValueError, match=f"item 1 of data: .*{said}"):
        calibrator.fit(data)


def test_what_gives_its_items_once_is_refused(
    calibrator: TemperatureScaling | LocalTemperatureScaling, predictions: Predictions
) -> None:
    data = predictions(8, 9)
    with pytest.raises(ValueError, match="data is a generator, which gives its items once"):
        calibrator.fit(item for item in data)
    with pytest.raises(ValueError, match="data is a list_iterator"):
        calibrator.fit(iter(data))


def test_data_that_dwindle_are_refused(
    calibrator: TemperatureScaling | LocalTemperatureScaling, predictions: Predictions
) -> None:
    class Dwindling:
        def __init__(self) -> None:
            self.items = predictions(8, 9)

        def __iter__(self) -> Iterator[Item]:
            yield from self.items
            self.items = self.items[:-1]

    with pytest.raises(ValueError, match="data gave 432 voxels at first and 288 later"):
        calibrator.fit(Dwindling())


def test_nothing_to_fit_to_is_refused(
    calibrator: TemperatureScaling | LocalTemperatureScaling, predictions: Predictions
) -> None:
    with pytest.raises(ValueError, match="data holds 0 voxels of the region 'all'"):
        calibrator.fit([])
    background = [(logits, torch.zeros_like(target), image) for logits, target, image in predictions(8, 9)]
    with pytest.raises(ValueError, match="0 voxels of the region 'foreground'"):
        calibrator.fit(background, region="foreground")


def test_an_unknown_region_is_refused(
    calibrator: TemperatureScaling | LocalTemperatureScaling, predictions: Predictions
) -> None:
    with pytest.raises(ValueError, match="region is 'lesion'"):
        calibrator.fit(predictions(8, 9), region="lesion")
