"""Every voxel-wise loss, in every form that differs."""

from __future__ import annotations

import pytest

from calib_monai.losses import ECPLoss, MbLSLoss, NACLLoss, SVLSLoss
from calib_monai.losses.voxelwise import VoxelwiseLoss
from calib_monai.priors import PRIORS

LOSSES = {
    "ecp": ECPLoss(),
    "svls": SVLSLoss(kernel_size=5),
    "mbls": MbLSLoss(margin=3.0),
    "mbls quadratic": MbLSLoss(margin=3.0, penalty="quadratic"),
    **{f"nacl {prior}": NACLLoss(prior=prior) for prior in PRIORS},
    "nacl probs": NACLLoss(on="probs", penalty="quadratic", kernel_size=5, border="background"),
}


@pytest.fixture
def losses() -> dict[str, VoxelwiseLoss]:
    return LOSSES


@pytest.fixture(params=LOSSES)
def loss(request: pytest.FixtureRequest) -> VoxelwiseLoss:
    return LOSSES[request.param]
