"""Losses: one of this package or of MONAI in the place of nnU-Net's."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import nn

from calib_monai.losses import leaving_out


class Trainer(Protocol):
    """What is needed of a trainer of nnU-Net."""

    label_manager: Any
    enable_deep_supervision: bool
    device: torch.device


def in_place_of(theirs: nn.Module, ours: nn.Module, trainer: Trainer) -> nn.Module:
    """A loss as nnU-Net's trainers call it, with `ours` in the place of nnU-Net's cross-entropy and Dice.

    If outputs of several resolutions are trained, nnU-Net's wrapper stays: each output gets the loss, with nnU-Net's
    weights. If the data set has an ignore label, its voxels are left out. A patch without any other voxel has a loss
    of 0.

    Args:
        theirs: what `_build_loss` of nnU-Net's trainer returns.
        ours: a function of logits (B, C, H, W[, D]) and class indices (B, 1, H, W[, D]).
        trainer: the trainer.

    Raises:
        ValueError: as `check_classes`.
    """
    check_classes(trainer)
    ours = leaving_out(ours, trainer.label_manager.ignore_label).to(trainer.device)
    if not trainer.enable_deep_supervision:
        return ours
    theirs.loss = ours  # of nnU-Net's `DeepSupervisionWrapper`
    return theirs


def check_classes(trainer: Trainer) -> None:
    """Raise ValueError if the data set has regions, for each of which nnU-Net trains a sigmoid."""
    if trainer.label_manager.has_regions:
        raise ValueError(
            "the labels in dataset.json are regions, such as [1, 2]; these trainers need classes that exclude each "
            "other: give each label a whole number"
        )
