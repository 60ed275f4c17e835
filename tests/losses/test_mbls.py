"""MbLS: the authors' numbers, the equation in float64, the limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from monai.losses import DiceLoss

from calib_monai.losses import CompoundLoss, MbLSLoss


@pytest.mark.parametrize("margin", [5, 10])
def test_the_linear_loss_is_the_authors(margin: int, assert_golden: Callable[[str, MbLSLoss], None]) -> None:
    assert_golden(f"mbls_l1_m{margin}_A", MbLSLoss(margin))


def test_the_quadratic_loss_squares_what_exceeds_the_margin(
    golden: dict[str, dict[str, Any]], arrays: dict[str, np.ndarray]
) -> None:
    # The authors' own value punishes distances below the margin too; the paper's is given beside it.
    expected = golden["mbls_l2_m5_A"]["expected"]
    logits, target = torch.tensor(arrays["logits_A"]), torch.tensor(arrays["labels_A"]).unsqueeze(1)
    loss = MbLSLoss(5, "quadratic")(logits, target).item()
    assert loss == pytest.approx(expected["loss_ce"] + 0.1 * expected["paper_squared_hinge_loss_margin"], rel=1e-5)


def test_with_dice_it_is_the_authors(assert_golden: Callable[[str, CompoundLoss], None]) -> None:
    dice = DiceLoss(include_background=False, to_onehot_y=True, softmax=True)
    assert_golden("mbls_dice_m5_A", CompoundLoss({"mbls": MbLSLoss(5), "dice": dice}, {"mbls": 1, "dice": 1}))


@pytest.mark.parametrize("penalty", ["linear", "quadratic"])
def test_the_loss_is_its_equation_in_float64(penalty: str) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 6 * torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=generator)
    target = torch.randint(3, (2, 1, 4, 5), generator=generator)
    total = 0.0
    for image, row, column in np.ndindex(2, 4, 5):
        scores = logits[image, :, row, column].tolist()
        total += math.log(sum(math.exp(s) for s in scores)) - scores[target[image, 0, row, column].item()]
        excess = [max(0, max(scores) - s - 4) for s in scores]
        total += 0.3 * sum(e if penalty == "linear" else e**2 for e in excess) / 3
    assert MbLSLoss(4, penalty, 0.3)(logits, target).item() == pytest.approx(total / 40, rel=1e-9)


def test_a_margin_that_nothing_exceeds_is_cross_entropy() -> None:
    logits, target = torch.randn(2, 3, 4, 4), torch.randint(3, (2, 1, 4, 4))
    expected = torch.nn.functional.cross_entropy(logits, target.squeeze(1))
    torch.testing.assert_close(MbLSLoss(margin=100.0)(logits, target), expected)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"margin": -1.0}, "-1.0"),
        ({"margin": math.nan}, "nan"),
        ({"penalty": "l2"}, "'l2'"),
        ({"penalty_weight": -1}, "-1"),
    ],
)
def test_wrong_arguments_are_refused_by_value(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MbLSLoss(**arguments)
