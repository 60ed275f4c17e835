"""Networks: (B, C, H, W[, D]) images become (B, K, H, W[, D]) logits; those that MONAI's contract lacks."""

from calib_monai.networks.transunet import TransUNet
from calib_monai.networks.unetpp import UNetPlusPlus

__all__ = ["TransUNet", "UNetPlusPlus"]
