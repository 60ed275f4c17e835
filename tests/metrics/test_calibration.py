"""ECE and CECE: the authors' numbers, the laws, the refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from calib_monai.metrics import CECEMetric, ECEMetric

Volume = Callable[[str], tuple[torch.Tensor, torch.Tensor]]


@pytest.mark.parametrize("volume", ["V1", "V2"])
def test_ece_and_cece_are_the_authors(volume: str, golden: dict[str, dict[str, Any]], golden_volume: Volume) -> None:
    expected = golden[f"calib_{volume}"]["expected"]
    probs, target = golden_volume(volume)
    for metric, key in (
        (ECEMetric(), "ECE"),
        (CECEMetric(), "CECE"),
        (ECEMetric(region="all"), "ECE_all_voxels"),
        (CECEMetric(region="all"), "CECE_all_voxels"),
    ):
        metric(y_pred=probs, y=target)
        assert metric.aggregate().item() == pytest.approx(expected[key], rel=1e-4, abs=2e-6)


def test_the_mean_over_volumes_is_the_authors(golden: dict[str, dict[str, Any]], golden_volume: Volume) -> None:
    metric = ECEMetric()
    for name in ("V1", "V2", "V3"):
        probs, target = golden_volume(name)
        metric(y_pred=probs, y=target)
    expected = golden["evaluator_V1V2V3"]["expected"]
    assert metric.aggregate().item() == pytest.approx(expected["mece"], abs=5e-5)  # they round each volume to 1e-4


@pytest.mark.parametrize("metric_class", [ECEMetric, CECEMetric])
def test_labels_are_read_as_a_map_or_one_hot_as_a_batch_or_a_list(
    metric_class: type[ECEMetric | CECEMetric], golden_volume: Volume
) -> None:
    probs, target = golden_volume("V1")
    one_hot = torch.nn.functional.one_hot(target[:, 0], 4).movedim(-1, 1)
    results = []
    for y_pred, y in ((probs, target), (probs, one_hot), ([probs[0]], [target[0].float()])):
        metric = metric_class()
        metric(y_pred=y_pred, y=y)
        results.append(metric.aggregate().item())
    assert results[0] == results[1] == results[2]


def test_an_image_without_foreground_is_left_out_of_the_mean(golden_volume: Volume) -> None:
    probs, target = golden_volume("V1")
    alone, both = ECEMetric(), ECEMetric()
    alone(y_pred=probs, y=target)
    both(y_pred=torch.cat([probs, probs]), y=torch.cat([target, torch.zeros_like(target)]))
    assert math.isnan(both.values()[1].item())
    assert both.aggregate().item() == alone.aggregate().item()


def test_a_network_that_is_as_right_as_it_says_has_no_error() -> None:
    probs = torch.tensor([0.75, 0.25]).view(1, 2, 1, 1).expand(1, 2, 4, 1)
    target = torch.tensor([0, 0, 0, 1]).view(1, 1, 4, 1)
    for metric in (ECEMetric(region="all"), CECEMetric(region="all")):
        metric(y_pred=probs, y=target)
        assert metric.aggregate().item() == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize(
    ("probs", "said"),
    [
        (torch.tensor([4.0, -1.0]), "-1 to 4"),
        (torch.tensor([0.9, 0.9]), "sum to 1"),
        (torch.tensor([math.nan, 0.5]), "NaN"),
    ],
)
def test_what_is_no_probability_is_refused(probs: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ECEMetric()(y_pred=probs.view(1, 2, 1, 1), y=torch.ones(1, 1, 1, 1))


def test_shapes_that_do_not_fit_are_refused() -> None:
    probs = torch.full((1, 2, 4, 4), 0.5)
    with pytest.raises(ValueError, match=r"\(1, 1, 4, 5\)"):
        ECEMetric()(y_pred=probs, y=torch.ones(1, 1, 4, 5))
    with pytest.raises(ValueError, match="3 channels"):
        ECEMetric()(y_pred=probs, y=torch.ones(1, 3, 4, 4))


@pytest.mark.parametrize("value", [255, -1, 0.5])
def test_labels_that_are_no_class_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=f"{value}"):
        ECEMetric()(y_pred=torch.full((1, 2, 4, 4), 0.5), y=torch.full((1, 1, 4, 4), value))


def test_nothing_measurable_is_not_a_perfect_score() -> None:
    metric = ECEMetric()
    metric(y_pred=torch.full((1, 2, 4, 4), 0.5), y=torch.zeros(1, 1, 4, 4))
    assert math.isnan(metric.aggregate().item())


def test_wrong_arguments_are_refused_by_value() -> None:
    with pytest.raises(ValueError, match="0"):
        ECEMetric(num_bins=0)
    with pytest.raises(ValueError, match="'lesion'"):
        CECEMetric(region="lesion")
    with pytest.raises(ValueError, match="nothing was measured"):
        ECEMetric().aggregate()
