"""Settings: results say how their metrics and images were made."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.handlers import ConfusionMatrix, MeanDice
from monai.transforms import Compose, GaussianSmoothd, RandGaussianNoised

from calib_monai.handlers import HD95, Dice
from calib_monai.handlers.settings import settings_of, settings_of_metrics, steps_of
from calib_monai.metrics import ASDMetric, ECEMetric, HD95Metric, MissedStructuresMetric
from calib_monai.regions import Plausible


class OwnMetric:
    """A user's metric, which counts its calls."""

    def __init__(self, weights: torch.Tensor, function: Any) -> None:
        self.weights = weights
        self.function = function
        self.calls = 3


SURFACE = {"include_background": False, "overlapping": False}


@pytest.mark.parametrize(
    ("metric", "settings"),
    [
        (HD95Metric(spacing=(0.1, 0.1)), SURFACE | {"spacing": [0.1, 0.1]}),
        (ASDMetric(symmetric=True, num_classes=3), SURFACE | {"symmetric": True, "num_classes": 3}),
        (MissedStructuresMetric(dice_below=0.9), {"overlapping": False, "dice_below": 0.9}),
        (
            ECEMetric(region=Plausible(0.2)),
            {"region": "plausible", "at_least": 0.2, "num_bins": 15, "pooled": False, "debiased": False},
        ),
        (OwnMetric(torch.tensor([1.0, 2.0]), max), {"weights": [1.0, 2.0]}),
    ],
)
def test_the_settings_of_a_metric_are_what_its_constructor_takes(metric: Any, settings: dict[str, Any]) -> None:
    assert settings_of(metric) == settings


def test_a_handler_has_the_settings_of_its_metric() -> None:
    found = settings_of_metrics(
        [
            {"dice": MeanDice(include_background=True, num_classes=3)},
            None,
            {"recall": ConfusionMatrix(metric_name="recall")},
        ]
    )
    assert found["dice"]["include_background"] is True
    assert found["dice"]["num_classes"] == 3
    assert found["recall"]["metric_name"] == ["recall"]


def test_a_handler_of_unions_notes_them() -> None:
    found = settings_of_metrics([{"dice": Dice({"wt": [1, 2], "et": [2]}), "hd95": HD95(num_classes=3)}])
    assert found["dice"]["unions"] == {"wt": [1, 2], "et": [2]}
    assert "unions" not in found["hd95"]


def test_the_steps_of_a_disturbance_have_the_values_of_the_transforms_inside() -> None:
    noise = RandGaussianNoised("image", prob=1.0, std=0.1, sample_std=False)
    [first, second] = steps_of(Compose([noise, Compose([GaussianSmoothd("image", sigma=2.0)])]))
    assert (first["transform"], first["std"], first["sample_std"]) == ("RandGaussianNoised", 0.1, False)
    assert (second["transform"], second["sigma"]) == ("GaussianSmoothd", 2.0)
    assert steps_of(Compose([])) == steps_of(None) == []
