"""What a fit reports: the metrics' own numbers, before and after."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable

import pytest
import torch
from torch.nn.functional import cross_entropy

from calib_monai.metrics import ECEMetric, MetricCollection, NLLMetric
from calib_monai.posthoc import LocalTemperatureScaling, TemperatureScaling
from calib_monai.posthoc.errors import errors_of, mean_errors
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
    nll = ([], [])
    measures = [
        MetricCollection(
            {
                "nll_all": NLLMetric(),
                "ece_all": ECEMetric(region="all"),
                "ece_plausible": ECEMetric(),
                "ece_foreground": ECEMetric(region="foreground"),
            }
        )
        for _ in range(2)
    ]
    for logits, target, image in data:
        inside = region_of(region).mask(target, logits.softmax(dim=1))  # that of the network, also after calibration
        for place, scores in enumerate((logits, calibrator(logits, image).detach())):
            measures[place](y_pred=scores.softmax(dim=1), y=target)
            costs = cross_entropy(scores, target.squeeze(1).long(), reduction="none")
            nll[place].append(costs[inside.squeeze(1)])
    expected = [torch.cat(costs).mean().item() for costs in nll]
    assert [report.nll_before, report.nll_after] == pytest.approx(expected, rel=1e-5)
    for ours, theirs in zip((report.before, report.after), measures, strict=True):
        for name, value in theirs.aggregate().items():
            assert getattr(ours, name) == pytest.approx(value.item(), rel=1e-5, abs=1e-6)


def test_the_error_of_a_volume_is_that_of_its_sum_of_plausible_probabilities() -> None:
    probs = torch.tensor([[0.5, 0.3, 0.195, 0.005], [0.98, 0.004, 0.01, 0.006]]).view(2, 4, 1, 1).expand(2, 4, 2, 10)
    labels = torch.tensor([[1] * 8 + [3] * 2, [0] * 6 + [2] * 4]).view(2, 1, 1, 10).expand(2, 1, 2, 10)
    found = mean_errors([errors_of(probs[:1], labels[:1]), errors_of(probs[1:], labels[1:])])
    # Class 1: 6 for 16 in the first volume; class 2: 0.2 for 8 in the second; class 3: nothing for 4 in the first.
    assert found.volume_errors == pytest.approx((10 / 16, 7.8 / 8, 1), rel=1e-6)
    assert found.volume_error() == pytest.approx((10 / 16 + 7.8 / 8 + 1) / 3, rel=1e-6)
    ignored = torch.zeros(2, 1, 2, 10, dtype=torch.bool)
    ignored[..., 5:] = True
    cut = errors_of(probs[..., :5], labels[..., :5])
    torch.testing.assert_close(errors_of(probs, labels, ignored), cut, rtol=1e-12, atol=0, equal_nan=True)
    assert cut[1].isnan()[1:].tolist() == [False, False, True, True, True, True]  # only background is labeled there


def test_a_fit_to_the_foreground_shows_what_it_costs() -> None:
    """Labels are drawn from the probabilities, so that there is nothing to mend."""
    chance = torch.linspace(-6, 2, 64).view(1, 1, 8, 8)
    data = []
    for seed in range(12):
        draws = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
        data.append((torch.cat([-chance, chance], dim=1) / 2, (draws < chance.sigmoid()).long()))
    costly, proper = (TemperatureScaling().fit(data, region=region) for region in ("foreground", "all"))
    assert costly.nll_after < costly.nll_before
    assert costly.after.nll_all > 1.01 * costly.before.nll_all
    assert costly.after.ece_plausible > costly.before.ece_plausible
    assert costly.after.volume_error() > costly.before.volume_error() + 0.05
    assert proper.after.nll_all <= proper.before.nll_all


def test_few_volumes_are_warned_of_in_one_line(predictions: Predictions, caplog: pytest.LogCaptureFixture) -> None:
    TemperatureScaling().fit(predictions(8, 8, items=5))
    assert not caplog.messages  # ten images
    for calibrator in (TemperatureScaling(), LocalTemperatureScaling(3, 1)):
        caplog.clear()
        calibrator.fit(predictions(8, 8, items=4))
        told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert told == ["fitted to 8 case(s): what suits fewer than 10 may suit no others; fit to more"]


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
    assert math.isnan(report.before.ece_foreground)
    assert all(map(math.isnan, report.before.volume_errors))
    assert report.nll_after <= report.nll_before


def test_a_report_fits_into_a_json_file(predictions: Predictions) -> None:
    report = TemperatureScaling().fit(predictions(8, 8))
    told = dataclasses.asdict(report)
    assert json.loads(json.dumps(told))["after"]["volume_errors"] == list(told["after"]["volume_errors"])
