"""Derivatives of losses by other ways than a backward pass: `torch.func` and forward-mode differentiation."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import forward_ad

from calib_monai.losses import CompoundLoss, CRaCLoss, ECPLoss, NACLLoss, SoftDiceLoss, SVLSLoss
from calib_monai.losses.voxelwise import VoxelwiseLoss


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, a direction and a target."""
    generator = torch.Generator().manual_seed(0)
    logits, direction = torch.randn(2, 2, 3, 6, 5, generator=generator, dtype=torch.float64)
    return logits, direction, torch.randint(3, (2, 1, 6, 5), generator=generator)


def by_backward(loss: torch.nn.Module, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    leaf = logits.clone().requires_grad_()
    return torch.autograd.grad(loss(leaf, target), leaf)[0]


def test_functional_and_forward_derivatives_are_those_of_a_backward_pass(loss: VoxelwiseLoss) -> None:
    logits, direction, target = batch()
    gradient = by_backward(loss, logits, target)
    torch.testing.assert_close(torch.func.grad(lambda x: loss(x, target))(logits), gradient)
    along = (gradient * direction).sum()
    value, slope = torch.func.jvp(lambda x: loss(x, target), (logits,), (direction,))
    torch.testing.assert_close((value, slope), (loss(logits, target), along))
    with forward_ad.dual_level():
        dual = loss(forward_ad.make_dual(logits, direction), target)
        torch.testing.assert_close(forward_ad.unpack_dual(dual).tangent, along)


def test_a_compound_loss_has_the_forward_derivative_of_all_its_parts() -> None:
    logits, direction, target = batch()
    loss = CompoundLoss({"nacl": NACLLoss(), "soft_dice": SoftDiceLoss()}, {"nacl": 0.5, "soft_dice": 1.0})
    _, slope = torch.func.jvp(lambda x: loss(x, target), (logits,), (direction,))
    torch.testing.assert_close(slope, (by_backward(loss, logits, target) * direction).sum())


@pytest.mark.parametrize(
    "loss", [ECPLoss(), SVLSLoss(), SoftDiceLoss(), NACLLoss(on="probs")], ids=lambda loss: type(loss).__name__
)
def test_a_class_that_is_switched_off_counts_as_one_with_the_probability_zero(loss: VoxelwiseLoss) -> None:
    logits, _, target = batch()
    off, low = logits.clone(), logits.clone()
    off[:, 2], low[:, 2], target[target == 2] = -torch.inf, -1e3, 0
    torch.testing.assert_close(loss(off, target), loss(low, target))
    torch.testing.assert_close(by_backward(loss, off, target), by_backward(loss, low, target))


def test_numbers_of_numpy_are_numbers() -> None:
    logits, _, target = batch()
    loss = NACLLoss(kernel_size=torch.tensor(3).numpy()[()], penalty_weight=torch.tensor(0.1).numpy()[()])
    torch.testing.assert_close(loss(logits, target), NACLLoss()(logits, target), rtol=1e-6, atol=0)
    assert CRaCLoss(3, ignore_index=torch.tensor(255).numpy()[()]).ignore_index == 255
