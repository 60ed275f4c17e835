"""A new loss: to write a mean over voxels takes only the equation of one voxel."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import one_hot

from calib_monai.losses import pieces
from calib_monai.losses.voxelwise import VoxelwiseLoss


class BrierLoss(VoxelwiseLoss):
    """The squared distance of the probabilities from the label."""

    def per_voxel(self, logits: torch.Tensor, padded: torch.Tensor) -> torch.Tensor:
        """sum_k (p_k - y_k)^2."""
        labels = one_hot(padded[:, 0].clamp(max=logits.shape[1] - 1).long(), logits.shape[1]).movedim(-1, 1)
        return (logits.softmax(dim=1) - labels).square().sum(dim=1)


@pytest.mark.parametrize("elements", [20, 10**6])
def test_the_equation_of_a_voxel_is_enough_for_a_loss(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_ELEMENTS", elements)
    logits = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    target = torch.randint(3, (2, 1, 6, 5), generator=torch.Generator().manual_seed(1))
    target[..., :2] = 255
    counted = target[:, 0] != 255
    probs, labels = logits.softmax(dim=1).movedim(1, -1)[counted], one_hot(target[:, 0][counted], 3)
    values = BrierLoss(ignore_index=255)(logits, target), (probs - labels).square().sum(dim=1).mean()
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*(torch.autograd.grad(value, logits)[0] for value in values))
