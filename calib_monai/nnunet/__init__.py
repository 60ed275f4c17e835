"""Trainers of nnU-Net with the losses of this package; nnU-Net finds them in the folder `TRAINERS`.

This package is imported without nnU-Net, which `pip install calib-monai[nnunet]` installs; its trainers need it.
`docs/nnunet.md` says what to type.
"""

from pathlib import Path

from calib_monai.nnunet.losses import check_classes, in_place_of
from calib_monai.nnunet.multipliers import NNUNetMultiplierUpdate

TRAINERS = Path(__file__).parent / "trainers"

__all__ = ["TRAINERS", "NNUNetMultiplierUpdate", "check_classes", "in_place_of"]
