"""ECP: the authors' numbers, the entropy, the refusals."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from calib_monai.losses import ECPLoss


def test_loss_and_gradient_are_the_authors(assert_golden: Callable[[str, ECPLoss], None]) -> None:
    assert_golden("ecp_a0.1_A", ECPLoss(0.1))


def test_the_penalty_is_the_mean_entropy_over_the_classes() -> None:
    logits = torch.randn(2, 5, 4, 4, dtype=torch.float64)
    target = torch.randint(5, (2, 1, 4, 4))
    entropy = torch.distributions.Categorical(logits=logits.movedim(1, -1)).entropy().mean()
    expected = torch.nn.functional.cross_entropy(logits, target.squeeze(1)) - 0.3 * entropy / 5
    torch.testing.assert_close(ECPLoss(0.3)(logits, target), expected)


def test_probabilities_of_zero_have_no_entropy() -> None:
    logits = torch.tensor([0.0, -1e4]).view(1, 2, 1, 1).requires_grad_()
    loss = ECPLoss()(logits, torch.zeros(1, 1, 1, 1))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match=r"-0\.1"):
        ECPLoss(-0.1)
