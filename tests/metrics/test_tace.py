"""TACE: the authors' numbers in both forms, the definition in float64, the limits, the refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from calib_monai.metrics import CECEMetric, MetricCollection, TACEMetric

Volume = Callable[[str], tuple[torch.Tensor, torch.Tensor]]


@pytest.mark.parametrize("volume", ["V1", "V2"])
def test_equal_widths_in_the_foreground_are_cracs(
    volume: str, golden: dict[str, dict[str, Any]], golden_volume: Volume
) -> None:
    metric = TACEMetric(threshold=1e-3, adaptive=False, region="foreground")
    probs, target = golden_volume(volume)
    metric(y_pred=probs, y=target)
    expected = golden[f"calib_{volume}"]["expected"]["CRaC_TACE"]
    assert metric.aggregate().item() == pytest.approx(expected, rel=1e-4, abs=2e-6)


def test_equal_numbers_in_all_voxels_are_bwcrs(golden: dict[str, dict[str, Any]], golden_volume: Volume) -> None:
    probs, target = golden_volume("V1")
    metric = TACEMetric(threshold=1e-2, region="all", include_background=False)
    metric(y_pred=probs, y=target)
    expected = golden["bwcr_metrics_V1"]["expected"]["tace_reference_times_n_bins"]  # they divide once too often
    assert metric.aggregate().item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("include_background", [True, False])
@pytest.mark.parametrize("threshold", [0.0, 1e-2, 0.3])
def test_it_is_its_definition_in_float64(
    threshold: float,
    include_background: bool,  # noqa: FBT001 - a parameter
    golden_volume: Volume,
) -> None:
    probs, target = golden_volume("V2")
    options: dict[str, Any] = {"region": "foreground", "include_background": include_background}
    values = TACEMetric(num_bins=7, threshold=threshold, **options)(y_pred=probs, y=target)[0]
    assert len(values) == probs.shape[1] - (not include_background)
    inside = (target != 0)[0, 0].numpy()
    for k, value in enumerate(values.tolist(), start=int(not include_background)):
        confidence, right = probs[0, k].double().numpy()[inside], (target[0, 0].numpy() == k)[inside]
        order = [i for i in np.argsort(confidence, kind="stable") if confidence[i] > threshold]
        size, expected = len(order) // 7, 0.0
        for b in range(7):
            part = order[b * size :] if b == 6 else order[b * size : (b + 1) * size]
            expected += len(part) / len(order) * abs(confidence[part].mean() - right[part].mean())
        assert value == pytest.approx(expected, abs=1e-6)


def test_without_a_threshold_equal_widths_are_cece(golden_volume: Volume) -> None:
    probs, target = golden_volume("V1")
    values = TACEMetric(threshold=0.0, adaptive=False, region="foreground")(y_pred=probs, y=target)
    torch.testing.assert_close(values, CECEMetric(region="foreground")(y_pred=probs, y=target))


@pytest.mark.parametrize("options", [{}, {"adaptive": False}, {"adaptive": False, "pooled": True}])
def test_without_the_background_it_is_the_mean_over_the_other_classes(
    options: dict[str, Any], golden_volume: Volume
) -> None:
    probs, target = golden_volume("V1")
    whole, without = (TACEMetric(region="all", include_background=on, **options) for on in (True, False))
    for metric in (whole, without):
        metric(y_pred=probs, y=target)
    torch.testing.assert_close(without.values(), whole.values()[:, 1:])
    together = MetricCollection({"tace_all": whole, "tace_all_foreground": without})
    together(y_pred=probs, y=target)
    assert together.values()["tace_all_foreground"].shape[1] == whole.values().shape[1] - 1


@pytest.mark.parametrize("adaptive", [True, False])
def test_a_threshold_of_0_leaves_out_no_probability_of_0(adaptive: bool) -> None:  # noqa: FBT001 - a parameter
    probs = torch.tensor([[0.7, 0.3, 0.0], [0.2, 0.5, 0.3]]).repeat_interleave(6, dim=0).T.reshape(1, 3, 3, 4)
    target = torch.full((1, 1, 3, 4), 2)  # of which probabilities 0 and .3 are told, in half of the voxels each
    values = TACEMetric(threshold=0.0, adaptive=adaptive, num_bins=2, region="foreground")(y_pred=probs, y=target)
    assert values[0, 2].item() == pytest.approx(1 - 0.15)
    some = TACEMetric(threshold=1e-3, adaptive=adaptive, num_bins=2, region="foreground")(y_pred=probs, y=target)
    assert some[0, 2].item() == pytest.approx(1 - 0.3)


def test_a_class_that_is_never_above_the_threshold_is_left_out() -> None:
    probs = torch.tensor([0.5, 0.4995, 0.0005]).view(1, 3, 1, 1).expand(1, 3, 4, 5)
    for adaptive in (True, False):
        metric = TACEMetric(adaptive=adaptive, region="foreground")
        metric(y_pred=probs, y=torch.ones(1, 1, 4, 5))
        assert math.isnan(metric.values()[0, 2].item())
        assert metric.aggregate().item() == pytest.approx((0.5 + 0.5005) / 2, abs=1e-6)


def test_fewer_voxels_than_bins_are_a_bin_each() -> None:
    probs = torch.tensor([[0.9, 0.6], [0.1, 0.4]]).view(1, 2, 2, 1)
    value = TACEMetric(threshold=0.0, region="foreground")(y_pred=probs, y=torch.ones(1, 1, 2, 1))[0, 1].item()
    assert value == pytest.approx((0.9 + 0.6) / 2, abs=1e-6)


def test_wrong_arguments_are_refused_by_value() -> None:
    with pytest.raises(ValueError, match=r"1\.5"):
        TACEMetric(threshold=1.5, region="foreground")
    with pytest.raises(ValueError, match="0"):
        TACEMetric(num_bins=0, region="foreground")
    with pytest.raises(ValueError, match="pooled"):
        TACEMetric(pooled=True, region="foreground")


def test_the_order_of_voxels_of_one_probability_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    probs = torch.tensor([0.6, 0.4]).view(1, 2, 1, 1).expand(1, 2, 150, 1)
    target = (torch.arange(150) >= 90).long().view(1, 1, 150, 1)  # class 0 is right as often as it says
    for labels in (target, target[:, :, torch.randperm(150, generator=generator)]):
        metric = TACEMetric(region="all")
        metric(y_pred=probs, y=labels)
        assert metric.aggregate().item() == pytest.approx(0, abs=1e-7)
