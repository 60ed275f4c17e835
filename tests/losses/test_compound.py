"""Compound loss: the weighted sum, and what it refuses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from monai.losses import DiceLoss

from calib_monai.losses import CompoundLoss, ECPLoss, NACLLoss


def test_ce_and_dice_are_the_authors(assert_golden: Callable[[str, CompoundLoss], None]) -> None:
    parts = {"ce": ECPLoss(0.0), "dice": DiceLoss(to_onehot_y=True, softmax=True)}
    assert_golden("ce_dice_A", CompoundLoss(parts, {"ce": 1.0, "dice": 1.0}))


def test_it_is_the_weighted_sum_and_holds_the_losses_state() -> None:
    logits, target = torch.randn(2, 3, 6, 6), torch.randint(3, (2, 1, 6, 6))
    nacl, ecp = NACLLoss(), ECPLoss()
    loss = CompoundLoss({"nacl": nacl, "ecp": ecp}, {"nacl": 0.5, "ecp": 2.0})
    torch.testing.assert_close(loss(logits, target), 0.5 * nacl(logits, target) + 2 * ecp(logits, target))
    assert set(loss.losses) == {"nacl", "ecp"}


def test_it_runs_inside_a_compiled_step() -> None:
    logits, target = torch.randn(2, 3, 6, 6, requires_grad=True), torch.randint(3, (2, 1, 6, 6))
    dice = DiceLoss(to_onehot_y=True, softmax=True)
    loss = CompoundLoss({"nacl": NACLLoss(), "dice": dice}, {"nacl": 1.0, "dice": 1.0})
    value = torch.compile(lambda x: loss(2 * x, target), backend="eager")(logits)
    expected = loss(2 * logits, target)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(torch.autograd.grad(value, logits), torch.autograd.grad(expected, logits))


def test_a_label_that_is_no_class_is_refused_whatever_the_losses_are() -> None:
    logits, dice = torch.zeros(1, 3, 4, 4), DiceLoss(to_onehot_y=True, softmax=True)
    loss = CompoundLoss({"dice": dice, "ecp": ECPLoss()}, {"dice": 1.0, "ecp": 1.0})
    for label in (3, 2.5, math.nan):
        with pytest.raises(ValueError, match=f"the label {label};"):
            loss(logits, torch.full((1, 1, 4, 4), label))


def test_a_label_that_one_of_the_losses_ignores_is_let_through() -> None:
    logits, target = torch.randn(2, 3, 6, 6), torch.randint(3, (2, 1, 6, 6))
    target[:, :, 3:] = 255
    nacl = NACLLoss(ignore_index=255)
    torch.testing.assert_close(CompoundLoss({"nacl": nacl}, {"nacl": 1.0})(logits, target), nacl(logits, target))


@pytest.mark.parametrize(
    ("losses", "weights", "said"),
    [
        ({}, {}, r"\[\]"),
        ({"a": ECPLoss()}, {"b": 1.0}, r"\['a'\] and weights \['b'\]"),
        ({"a": ECPLoss()}, {"a": -1.0}, "-1.0"),
        ({"a": ECPLoss()}, {"a": math.inf}, "inf"),
        ({"a.b": ECPLoss()}, {"a.b": 1.0}, r"'a\.b'"),
        ({"keys": ECPLoss()}, {"keys": 1.0}, "'keys'"),
        ({"training": ECPLoss()}, {"training": 1.0}, "'training'"),
        ({1: ECPLoss()}, {1: 1.0}, "called 1;"),
        ([ECPLoss()], [1.0], "dictionary"),
        ({"a": ECPLoss(ignore_index=0), "b": ECPLoss(ignore_index=9)}, {"a": 1.0, "b": 1.0}, r"\[0, 9\]"),
    ],
)
def test_what_does_not_fit_is_refused(losses: dict[str, Any], weights: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CompoundLoss(losses, weights)
