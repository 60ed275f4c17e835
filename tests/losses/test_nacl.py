"""NACL: the authors' numbers, the equation in float64, MONAI's in the interior."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from monai.losses import NACLLoss as MonaiNACLLoss

from calib_monai.losses import NACLLoss
from calib_monai.priors import neighborhood_prior

GOLDEN = {
    "ce_A": {"penalty_weight": 0.0},
    "nacl_mean_l1_A": {},
    "nacl_mean_l2_A": {"penalty": "quadratic"},
    "nacl_mean_l1_softmax_A": {"on": "probs"},
    "nacl_mean_k5_l1_A": {"kernel_size": 5},
    "nacl_gaussian_s2.0_l1_A": {"prior": "gaussian", "border": "replicate"},
    **{f"nacl_{prior}_l1_A": {"prior": prior} for prior in ("max", "min", "mode")},
}


def batch(*shape: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(2, 3, *shape, generator=generator, dtype=torch.float64)
    return logits.to(dtype), torch.randint(3, (2, 1, *shape), generator=generator)


@pytest.mark.parametrize("name", GOLDEN)
def test_loss_and_gradient_are_the_authors(name: str, assert_golden: Callable[[str, NACLLoss], None]) -> None:
    assert_golden(name, NACLLoss(**{"border": "background"} | GOLDEN[name]))


@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 3)])
@pytest.mark.parametrize("penalty", ["linear", "quadratic"])
@pytest.mark.parametrize("on", ["logits", "probs"])
def test_the_loss_is_its_equation_in_float64(shape: tuple[int, ...], penalty: str, on: str) -> None:
    logits, target = batch(*shape, dtype=torch.float64)
    prior = neighborhood_prior(target, 3)
    total, penalties = 0.0, 0.0
    for place in np.ndindex(2, *shape):
        image, where = place[0], place[1:]
        scores = logits[(image, slice(None), *where)].tolist()
        normalizer = sum(math.exp(score) for score in scores)
        total -= math.log(math.exp(scores[target[(image, 0, *where)].item()]) / normalizer)
        for k, score in enumerate(scores):
            value = score if on == "logits" else math.exp(score) / normalizer
            gap = abs(prior[(image, k, *where)].item() - value)
            penalties += gap if penalty == "linear" else gap**2
    voxels = target.numel()
    expected = total / voxels + 0.3 * penalties / (3 * voxels)
    loss = NACLLoss(penalty=penalty, on=on, penalty_weight=0.3)(logits, target)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_the_interior_is_monais_loss() -> None:
    logits, target = batch(12, 12)
    # Only the border differs: MONAI pads the one-hot labels with zeros. A frame of one label, one logit
    # makes the difference computable: it is the frame's own penalty.
    ours = NACLLoss(penalty_weight=1.0)(logits, target) - NACLLoss(penalty_weight=0.0)(logits, target)
    theirs = MonaiNACLLoss(classes=3, dim=2, alpha=1.0)
    gap = theirs(logits, target.squeeze(1)) - torch.nn.functional.cross_entropy(logits, target.squeeze(1))
    monai_prior = theirs.get_constr_target(target.squeeze(1))
    frame = torch.ones(12, 12, dtype=torch.bool)
    frame[1:-1, 1:-1] = False
    prior = neighborhood_prior(target, 3)
    torch.testing.assert_close(prior[..., ~frame], monai_prior[..., ~frame])
    difference = ((logits - prior).abs() - (logits - monai_prior).abs())[..., frame].sum() / logits.numel()
    torch.testing.assert_close(ours - gap, difference, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"penalty": "l1"}, "'l1'"), ({"on": "softmax"}, "'softmax'"), ({"penalty_weight": -0.1}, "-0.1"),
     ({"penalty_weight": math.nan}, "nan"), ({"prior": "max2"}, "'max2'"), ({"kernel_size": 2}, "2")],
)  # fmt: skip
def test_wrong_arguments_are_refused_by_value(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        NACLLoss(**arguments)


def test_sigma_and_border_reach_the_prior() -> None:
    logits, target = batch(6, 6)
    wide, narrow = (NACLLoss("gaussian", kernel_size=5, sigma=sigma)(logits, target) for sigma in (5.0, 0.5))
    replicated, padded = (NACLLoss(border=border)(logits, target) for border in ("replicate", "background"))
    assert wide != narrow
    assert replicated != padded


def test_padding_with_a_class_that_is_ignored_is_refused() -> None:
    with pytest.raises(ValueError, match="ignore_index is 0"):
        NACLLoss(border="background", ignore_index=0)
