"""Brier score and negative log-likelihood: their definitions, the authors' number, the limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from calib_monai.metrics import BrierMetric, NLLMetric

Volume = Callable[[str], tuple[torch.Tensor, torch.Tensor]]


@pytest.mark.parametrize("volume", ["V1", "V2"])
def test_the_nll_is_the_authors_and_the_brier_score_its_definition(
    volume: str, golden: dict[str, dict[str, Any]], golden_volume: Volume
) -> None:
    probs, target = golden_volume(volume)
    nll, brier = (
        NLLMetric(region="foreground")(y_pred=probs, y=target),
        BrierMetric(region="foreground")(y_pred=probs, y=target),
    )
    assert nll.item() == pytest.approx(golden[f"calib_{volume}"]["expected"]["NLL"], rel=1e-4)
    one_hot = torch.nn.functional.one_hot(target[:, 0], 4).movedim(-1, 1)
    squares = (probs.double() - one_hot).square().sum(dim=1, keepdim=True)
    assert brier.item() == pytest.approx(squares[target != 0].mean().item(), rel=1e-6)


def test_certain_and_wrong_is_the_worst_and_finite() -> None:
    probs = torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]]).view(1, 2, 3, 1)
    target = torch.tensor([1, 0, 1]).view(1, 1, 3, 1)
    two = probs[:, :, :2].clone()
    two[0, :, 1] = torch.tensor([[1e-3], [1 - 1e-3]])
    assert BrierMetric(region="all")(y_pred=two, y=target[:, :, :2]).item() == pytest.approx(2, abs=4e-3)
    assert NLLMetric(region="foreground")(y_pred=probs, y=target).item() == pytest.approx(
        (87.34 + math.log(2)) / 2, abs=1e-2
    )


def test_certain_and_right_is_zero() -> None:
    probs = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 2, 2).clone()
    probs[..., 0] = torch.tensor([0.999, 0.001]).view(1, 2, 1)
    target = torch.zeros(1, 1, 2, 2)
    assert BrierMetric(region="all")(y_pred=probs, y=target).item() == pytest.approx(0, abs=1e-5)
    assert NLLMetric(region="all")(y_pred=probs, y=target).item() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("dtype", "least", "cost"),
    [
        (torch.float16, None, math.log(2**25)),
        (torch.float32, None, -math.log(torch.finfo(torch.float32).tiny)),
        (torch.float64, None, -math.log(torch.finfo(torch.float32).tiny)),
        (torch.float32, 1 / 510, math.log(510)),
    ],
)
def test_what_was_rounded_to_0_counts_as_half_of_a_step(dtype: torch.dtype, least: float | None, cost: float) -> None:
    probs = torch.tensor([[1.0, 0.0]], dtype=dtype).reshape(1, 2, 1, 1)
    metric = NLLMetric(least=least)
    metric(y_pred=probs, y=torch.ones(1, 1, 1, 1))
    assert metric.aggregate().item() == pytest.approx(cost)


@pytest.mark.parametrize("least", [0, 1, -1e-3, "0.1"])
def test_a_least_probability_that_is_none_is_refused(least: Any) -> None:
    with pytest.raises(ValueError, match="least is"):
        NLLMetric(least=least)
