"""Volume error: 0 on average where probabilities are exact, and the sum of probabilities compared with the label."""

from __future__ import annotations

from math import nan, sqrt

import pytest
import torch

from calib_monai.metrics import MetricCollection, VolumeErrorMetric
from calib_monai.metrics.volume_error import expected_voxels


def test_it_is_the_distance_of_the_sum_of_probabilities_from_the_label_over_the_label() -> None:
    probs = torch.tensor([0.5, 0.3, 0.195, 0.005]).view(1, 4, 1, 1).expand(1, 4, 2, 10)
    label = torch.tensor([1] * 8 + [3] * 2).view(1, 1, 1, 10).expand(1, 1, 2, 10)
    value = VolumeErrorMetric()(y_pred=probs, y=label)[0]
    assert value[0].item() == pytest.approx(10 / 16)  # 6 voxels expected, and 16 labeled
    assert value[1].isnan()  # the label does not have the class
    assert value[2].item() == 1  # .005 does not count
    assert VolumeErrorMetric(at_least=0)(y_pred=probs, y=label)[0, 2].item() == pytest.approx((4 - 20 * 0.005) / 4)


def test_expected_volumes_keep_the_digits_of_float64() -> None:
    probs = torch.tensor([0.9, 0.1], dtype=torch.float64).view(1, 2, 1, 1).expand(1, 2, 3, 1)
    value = VolumeErrorMetric()(y_pred=probs, y=torch.ones(1, 1, 3, 1)).item()
    assert value == pytest.approx(0.9, abs=1e-15)


def test_an_exact_network_errs_by_chance_alone_and_a_shifted_one_by_more() -> None:
    generator = torch.Generator().manual_seed(0)
    foreground = torch.rand(1, 1, 100, 100, generator=generator)
    label = torch.bernoulli(foreground, generator=generator)
    chance = 4 * sqrt((foreground * (1 - foreground)).sum().item()) / label.sum().item()
    shifted = foreground.logit().add(1).sigmoid()
    errors = [VolumeErrorMetric(0)(y_pred=torch.cat([1 - p, p], 1), y=label).item() for p in (foreground, shifted)]
    assert errors[0] < chance < errors[1]


def test_what_is_ignored_is_as_if_it_were_cut_off_alone_and_in_a_collection() -> None:
    generator = torch.Generator().manual_seed(0)
    probs = torch.randn(2, 3, 8, 10, generator=generator).softmax(dim=1)
    label = torch.randint(3, (2, 1, 8, 10), generator=generator)
    cut = VolumeErrorMetric()(y_pred=probs[..., :6], y=label[..., :6])
    label[..., 6:] = 255
    assert torch.equal(VolumeErrorMetric(ignore_index=255)(y_pred=probs, y=label), cut)
    assert torch.equal(MetricCollection({"of_volumes": VolumeErrorMetric()}, 255)(probs, label)["of_volumes"], cut)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_probabilities_may_have_any_float_type(dtype: torch.dtype) -> None:
    probs = torch.tensor([0.5, 0.375, 0.125], dtype=dtype).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    label = torch.tensor([1, 1, 1, 2]).view(1, 1, 1, 4).expand(1, 1, 4, 4)
    assert VolumeErrorMetric()(y_pred=probs, y=label)[0].tolist() == [0.5, 0.5]
    assert expected_voxels(probs[0, 1]) == 6


@pytest.mark.parametrize("at_least", [-1, 1.5, nan, "x", None])
def test_a_threshold_that_is_no_probability_is_refused(at_least: float) -> None:
    told = f"at_least is {at_least!r}; it must be a finite number, at least 0 and at most 1"
    for refusing in (VolumeErrorMetric, lambda wrong: expected_voxels(torch.ones(3), wrong)):
        with pytest.raises(ValueError, match=told):
            refusing(at_least)


def test_many_tiny_probabilities_are_summed_without_loss() -> None:
    assert expected_voxels(torch.full((10**7,), 0.1)) == pytest.approx(1e6, rel=1e-7)
    assert expected_voxels(torch.full((10**7,), 0.001)) == 0
