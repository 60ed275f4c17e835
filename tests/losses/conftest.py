"""Every voxel-wise loss, in every form that differs. Each loss in `LOSSES` is tested for all laws."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from calib_monai.losses import ACELoss, CRaCLoss, ECPLoss, MbLSLoss, NACLLoss, SoftDiceLoss, SVLSLoss
from calib_monai.losses.voxelwise import VoxelwiseLoss
from calib_monai.priors import PRIORS


def crac(num_classes: int, penalty: str = "phr", target_scale: float = 1.0) -> CRaCLoss:
    """A loss whose multipliers and coefficients all differ."""
    loss = CRaCLoss(num_classes, penalty=penalty, target_scale=target_scale)
    values = torch.linspace(0.1, 0.9, 2 * num_classes)
    loss.multipliers.multiplier.copy_(values.view(2, -1))
    loss.multipliers.coefficient.copy_(values.flip(0).view(2, -1) / 10)
    return loss


LOSSES: dict[str, Callable[[int], VoxelwiseLoss]] = {  # each for a number of classes
    "ecp": lambda _: ECPLoss(),
    "svls": lambda _: SVLSLoss(kernel_size=5),
    "soft dice": lambda _: SoftDiceLoss(),
    "mbls": lambda _: MbLSLoss(margin=3.0),
    "mbls quadratic": lambda _: MbLSLoss(margin=3.0, penalty="quadratic"),
    **{f"nacl {prior}": lambda _, prior=prior: NACLLoss(prior=prior) for prior in PRIORS},
    "nacl probs": lambda _: NACLLoss(on="probs", penalty="quadratic", kernel_size=5, border="background"),
    "crac": crac,
    "crac p2": lambda num_classes: crac(num_classes, "p2", target_scale=5),
    "ace": lambda _: ACELoss(num_bins=5),
    "ace soft": lambda _: ACELoss("soft", num_bins=6),
    "crac p3": lambda num_classes: crac(num_classes, "p3"),
}


@pytest.fixture
def losses() -> dict[str, VoxelwiseLoss]:
    return {name: make(3) for name, make in LOSSES.items()}


IGNORED = 255


@pytest.fixture(params=LOSSES)
def ignoring(request: pytest.FixtureRequest) -> VoxelwiseLoss:
    """A loss that leaves out voxels labeled 255."""
    loss = LOSSES[request.param](3)
    loss.ignore_index, loss.border = IGNORED, "replicate"
    return loss


@pytest.fixture(params=LOSSES)
def make_loss(request: pytest.FixtureRequest) -> Callable[[int], VoxelwiseLoss]:
    return LOSSES[request.param]


@pytest.fixture
def loss(make_loss: Callable[[int], VoxelwiseLoss]) -> VoxelwiseLoss:
    return make_loss(3)
