"""What a fit reports: the metrics' own numbers, before and after."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable

import pytest
import torch
from torch.nn.functional import cross_entropy

from calib_monai.metrics import ECEMetric
from calib_monai.posthoc import LocalTemperatureScaling, TemperatureScaling
from calib_monai.regions import REGIONS, region_of

Item = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
Predictions = Callable[..., list[Item]]


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("make", [TemperatureScaling, lambda: LocalTemperatureScaling(3, 1)], ids=["ts", "lts"])
def test_nll_and_ece_are_those_of_the_metrics(
    make: Callable[[], TemperatureScaling | LocalTemperatureScaling], region: str, predictions: Predictions
) -> None:
    data = predictions(12, 13)
    data[1][1][0] = 0  # an image without a foreground has no ECE, and is left out
    calibrator = make()
    report = calibrator.fit(data, region=region)
    nll, ece = ([], []), [ECEMetric(region="foreground") for _ in range(2)]
    for logits, target, image in data:
        inside = region_of(region).mask(target, logits.softmax(dim=1))  # that of the network, also after calibration
        for place, scores in enumerate((logits, calibrator(logits, image).detach())):
            ece[place](y_pred=scores.softmax(dim=1), y=target)
            costs = cross_entropy(scores, target.squeeze(1).long(), reduction="none")
            nll[place].append(costs[inside.squeeze(1)])
    expected = [torch.cat(costs).mean().item() for costs in nll]
    assert [report.nll_before, report.nll_after] == pytest.approx(expected, rel=1e-5)
    ours = [report.ece_foreground_before, report.ece_foreground_after]
    assert ours == pytest.approx([metric.aggregate().item() for metric in ece], abs=1e-6)


def test_volumes_and_voxels_are_counted_and_temperatures_ranged(predictions: Predictions) -> None:
    data = predictions(6, 7, 5)
    calibrator = TemperatureScaling()
    report = calibrator.fit(data, region="foreground")
    assert report.volumes == 6
    assert report.voxels == sum(int((target != 0).sum()) for _, target, _ in data)
    assert report.temperature_min == report.temperature_max == calibrator.temperature.item()
    assert report.region == "foreground"


def test_without_a_foreground_the_ece_is_not_a_number(predictions: Predictions) -> None:
    logits, target, _ = predictions(8, 8, items=1)[0]
    report = TemperatureScaling().fit([(logits, torch.zeros_like(target))])
    assert math.isnan(report.ece_foreground_before)
    assert report.nll_after <= report.nll_before


def test_a_report_fits_into_a_json_file(predictions: Predictions) -> None:
    report = TemperatureScaling().fit(predictions(8, 8))
    assert json.loads(json.dumps(dataclasses.asdict(report))) == dataclasses.asdict(report)
