"""Networks: (B, C, H, W[, D]) images become (B, K, H, W[, D]) logits; a bundle chooses one by its factory."""

from calib_monai.networks.ensemble import Ensemble, EnsembleNetwork, folders_of, members_of
from calib_monai.networks.factories import attention_unet, dynunet, unet, unetpp
from calib_monai.networks.factories_2d import transunet, unet_papers, unetpp_papers
from calib_monai.networks.plain_unet import PlainUNet
from calib_monai.networks.resnet_unet_plus_plus import ResNetUNetPlusPlus
from calib_monai.networks.trans_unet import TransUNet
from calib_monai.networks.unet_plus_plus import UNetPlusPlus
from calib_monai.networks.wrapped import unwrapped

OF_MONAI = (attention_unet, dynunet, unet, unetpp)
OF_PAPERS = (transunet, unet_papers, unetpp_papers)
FACTORIES = {factory.__name__: factory for factory in sorted(OF_MONAI + OF_PAPERS, key=lambda one: one.__name__)}
OF_VOLUMES = ("attention_unet", "dynunet", "unet")  # which take patches of volumes, with a `spacing`

__all__ = [
    "FACTORIES",
    "OF_VOLUMES",
    "Ensemble",
    "EnsembleNetwork",
    "PlainUNet",
    "ResNetUNetPlusPlus",
    "TransUNet",
    "UNetPlusPlus",
    "attention_unet",
    "dynunet",
    "folders_of",
    "members_of",
    "transunet",
    "unet",
    "unet_papers",
    "unetpp",
    "unetpp_papers",
    "unwrapped",
]
