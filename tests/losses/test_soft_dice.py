"""Dice on soft labels: its equation in float64, MONAI's Dice, where it is least, the refusals."""

from __future__ import annotations

import pytest
import torch
from monai.losses import DiceLoss

from calib_monai.losses import SoftDiceLoss, SVLSLoss, pieces
from calib_monai.priors import neighborhood_prior


def batch(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 3, *shape, generator=generator, dtype=torch.float64)
    return logits, torch.randint(3, (2, 1, *shape), generator=generator)


@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 3)])
def test_the_loss_is_its_equation_in_float64(shape: tuple[int, ...]) -> None:
    logits, target = batch(*shape)
    tau, probs = neighborhood_prior(target, 3, "gaussian", 5, 1.5).double(), logits.softmax(dim=1)
    terms = []
    for image in range(2):
        for k in range(3):
            p, t = probs[image, k], tau[image, k]
            terms.append(1 - (p + t - (p - t).abs()).sum() / (p + t).sum())
    expected = -(tau * probs.log()).sum(dim=1).mean() + torch.stack(terms).mean()
    torch.testing.assert_close(SoftDiceLoss(5, 1.5)(logits, target), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("elements", [20, 10**6])
def test_value_and_gradient_are_those_of_svls_and_monais_dice(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_ELEMENTS", elements)
    logits, target = batch(6, 5)
    target[0] = target[0].clamp(max=1)  # the first image lacks a class
    tau, dice = neighborhood_prior(target, 3, "gaussian").double(), DiceLoss(soft_label=True)
    values = [
        SoftDiceLoss()(logits.requires_grad_(), target),
        SVLSLoss()(logits, target) + dice(logits.softmax(1), tau),
    ]
    torch.testing.assert_close(*values, rtol=1e-9, atol=0)
    torch.testing.assert_close(*(torch.autograd.grad(value, logits)[0] for value in values), rtol=1e-7, atol=1e-12)


def test_it_is_least_where_the_probabilities_are_the_soft_labels() -> None:
    _, target = batch(8, 8)
    tau = neighborhood_prior(target, 3, "gaussian").double()
    soft, hard = (labels.clamp(min=1e-9).log() for labels in (tau, torch.eye(3)[target.squeeze(1)].movedim(-1, 1)))
    for loss in (SoftDiceLoss(), lambda *pair: SoftDiceLoss()(*pair) - SVLSLoss()(*pair)):
        assert loss(soft, target) < loss(hard.double(), target)
    torch.testing.assert_close(SoftDiceLoss()(soft, target), SVLSLoss()(soft, target))


@pytest.mark.parametrize(("arguments", "said"), [({"kernel_size": 2}, "2"), ({"sigma": 0}, "0")])
def test_wrong_arguments_are_refused_by_value(arguments: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SoftDiceLoss(**arguments)  # type: ignore[arg-type]
