"""Command line: `python -m calib_monai.nnunet` prints the folder for nnU-Net's variable `nnUNet_extTrainer`."""

import sys

from calib_monai.nnunet import TRAINERS

if __name__ == "__main__":
    sys.stdout.write(f"{TRAINERS}\n")
