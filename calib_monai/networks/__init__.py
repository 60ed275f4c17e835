"""Networks: (B, C, H, W[, D]) images become (B, K, H, W[, D]) logits; a bundle chooses one by its factory."""

from calib_monai.networks.factories import attention_unet, dynunet, transunet, unet, unetpp
from calib_monai.networks.trans_unet import TransUNet
from calib_monai.networks.unet_plus_plus import UNetPlusPlus

FACTORIES = {factory.__name__: factory for factory in (attention_unet, dynunet, transunet, unet, unetpp)}

__all__ = ["FACTORIES", "TransUNet", "UNetPlusPlus", "attention_unet", "dynunet", "transunet", "unet", "unetpp"]
