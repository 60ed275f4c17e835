"""Training losses: `loss(logits, target)` is a scalar."""

from calib_monai.losses.nacl import NACLLoss

__all__ = ["NACLLoss"]
