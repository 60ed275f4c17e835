"""Training losses: `loss(logits, target)` is a scalar.

No loss checks that its logits are no probabilities, because each step on a GPU would wait for the answer. Leave out the
softmax of the network. `calib_monai.engines.SliceTrainer` checks the first step.
"""

from calib_monai.losses.ace import ACELoss
from calib_monai.losses.bwcr import BWCRLoss
from calib_monai.losses.compound import CompoundLoss
from calib_monai.losses.crac import CRaCLoss
from calib_monai.losses.ecp import ECPLoss
from calib_monai.losses.ignoring import IgnoringLoss, leaving_out
from calib_monai.losses.mbls import MbLSLoss
from calib_monai.losses.nacl import NACLLoss
from calib_monai.losses.soft_dice import SoftDiceLoss
from calib_monai.losses.svls import SVLSLoss

__all__ = [
    "ACELoss",
    "BWCRLoss",
    "CRaCLoss",
    "CompoundLoss",
    "ECPLoss",
    "IgnoringLoss",
    "MbLSLoss",
    "NACLLoss",
    "SVLSLoss",
    "SoftDiceLoss",
    "leaving_out",
]
