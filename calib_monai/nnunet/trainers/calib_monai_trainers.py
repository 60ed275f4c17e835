"""Trainers of nnU-Net, one for each method: the loss is that of the bundles, and the rest is nnU-Net's."""

from __future__ import annotations

from typing import Any

from monai.losses import DiceCELoss, FocalLoss
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from torch import nn

from calib_monai.losses import ACELoss, CRaCLoss, ECPLoss, MbLSLoss, NACLLoss, SoftDiceLoss, SVLSLoss
from calib_monai.nnunet import NNUNetMultiplierUpdate, check_classes, in_place_of

# ruff: noqa: N801 - nnU-Net finds a trainer by such a name


class nnUNetTrainerNACL(nnUNetTrainer):
    """Cross-entropy plus the distance of the logits from the classes' shares in the neighborhood (NACL)."""

    def _build_loss(self) -> nn.Module:
        return in_place_of(super()._build_loss(), NACLLoss(), self)


class nnUNetTrainerMbLS(nnUNetTrainer):
    """Cross-entropy plus the excess of each logit's distance from the largest one over a margin (MbLS)."""

    def _build_loss(self) -> nn.Module:
        return in_place_of(super()._build_loss(), MbLSLoss(), self)


class nnUNetTrainerSVLS(nnUNetTrainer):
    """Cross-entropy with labels that are soft along borders (SVLS)."""

    def _build_loss(self) -> nn.Module:
        return in_place_of(super()._build_loss(), SVLSLoss(), self)


class nnUNetTrainerLS(nnUNetTrainer):
    """Cross-entropy with smoothed labels (LS): the Dice term weighs nothing."""

    def _build_loss(self) -> nn.Module:
        loss = DiceCELoss(to_onehot_y=True, softmax=True, lambda_dice=0.0, label_smoothing=0.1)
        return in_place_of(super()._build_loss(), loss, self)


class nnUNetTrainerECP(nnUNetTrainer):
    """Cross-entropy minus a tenth of the mean entropy (ECP)."""

    def _build_loss(self) -> nn.Module:
        return in_place_of(super()._build_loss(), ECPLoss(), self)


class nnUNetTrainerFocal(nnUNetTrainer):
    """The focal loss with gamma 3."""

    def _build_loss(self) -> nn.Module:
        loss = FocalLoss(to_onehot_y=True, use_softmax=True, include_background=True, gamma=3.0)
        return in_place_of(super()._build_loss(), loss, self)


class nnUNetTrainerSoftDice(nnUNetTrainer):
    """Cross-entropy plus Dice, both with labels that are soft along borders."""

    def _build_loss(self) -> nn.Module:
        return in_place_of(super()._build_loss(), SoftDiceLoss(), self)


class nnUNetTrainerACE(nnUNetTrainer):
    """Cross-entropy plus Dice plus the average calibration error of each class in hard bins (mL1-ACE)."""

    def _build_loss(self) -> nn.Module:
        return in_place_of(super()._build_loss(), ACELoss(), self)


class nnUNetTrainerCRaC(nnUNetTrainer):
    """Cross-entropy plus an augmented Lagrangian, whose multipliers adapt after each validation (CRaC)."""

    multiplier_update: NNUNetMultiplierUpdate

    def _build_loss(self) -> nn.Module:
        check_classes(self)  # of one region nnU-Net makes one output
        crac = CRaCLoss(self.label_manager.num_segmentation_heads, target_scale=5.0)
        loss = in_place_of(super()._build_loss(), crac, self)
        self.multiplier_update = NNUNetMultiplierUpdate(crac, loss)
        return loss

    def on_validation_epoch_end(self, val_outputs: list[dict[str, Any]]) -> None:
        """Move the multipliers after nnU-Net has looked at its validation."""
        super().on_validation_epoch_end(val_outputs)
        self.print_to_log_file(self.multiplier_update.update())

    def save_checkpoint(self, filename: str) -> None:
        """Write nnU-Net's checkpoint with the multipliers."""
        super().save_checkpoint(filename)
        if self.local_rank == 0 and not self.disable_checkpointing:
            self.multiplier_update.write(filename)

    def load_checkpoint(self, filename_or_checkpoint: str | dict[str, Any]) -> None:
        """Continue from nnU-Net's checkpoint, with its multipliers."""
        super().load_checkpoint(filename_or_checkpoint)
        self.multiplier_update.read(filename_or_checkpoint)
