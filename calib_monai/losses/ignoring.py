"""Ignoring: make any loss leave out the voxels of one label."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calib_monai.arguments import check_changed, check_ignore_index
from calib_monai.losses.bwcr import BWCRLoss
from calib_monai.losses.compound import CompoundLoss
from calib_monai.losses.targets import class_labels, ignored_voxels
from calib_monai.losses.voxelwise import VoxelwiseLoss


class IgnoringLoss(nn.Module):
    """A loss over the voxels whose label is not ignored; 0 if there are none.

    The loss of each image is that of its n counted voxels. It is weighted by n / N, where N is the number of counted
    voxels in the batch. For a mean over voxels, such as cross-entropy, the sum is the mean over the N voxels. Dice
    weighs each image by n. If no voxel is ignored, the loss is that of the whole batch.

    Args:
        loss: a function of (logits, target), such as MONAI's DiceCELoss, that does not depend on where a voxel lies.
        ignore_index: label of the voxels that are left out.

    Raises:
        ValueError: `ignore_index` is not a whole number.
    """

    def __init__(self, loss: nn.Module, ignore_index: int) -> None:
        super().__init__()
        check_ignore_index(ignore_index)
        self.loss = loss
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss, a scalar.

        Args:
            logits: (B, C, H, W[, D]).
            target: class indices, (B, 1, H, W[, D]).

        Raises:
            ValueError: `class_labels` or the loss refuses the logits or the target.
        """
        counted = ~ignored_voxels(class_labels(logits, target, self.ignore_index)).flatten(1)
        numbers = counted.sum(dim=1).tolist()
        if min(numbers) == counted.shape[1]:
            whole: Tensor = self.loss(logits, target)
            return whole
        flat_logits, flat_target = logits.as_subclass(Tensor).flatten(2), target.as_subclass(Tensor).flatten(2)
        terms = [
            number
            / sum(numbers)
            * self.loss(flat_logits[k : k + 1, :, kept, None], flat_target[k : k + 1, :, kept, None])
            for k, (kept, number) in enumerate(zip(counted, numbers, strict=True))
            if number
        ]
        return torch.stack(terms).sum() if terms else logits.nan_to_num(0, 0, 0).mul(0).sum()


def leaving_out(loss: nn.Module, ignore_index: int | None) -> nn.Module:
    """The loss without the voxels of this label; if the label is None, the unchanged loss.

    Losses of this package have an `ignore_index`, which is set. Any other loss is wrapped in `IgnoringLoss`.

    Args:
        loss: a function of (logits, target).
        ignore_index: a label that is no class.

    Raises:
        ValueError: the loss's constructor refuses this label.
    """
    if ignore_index is None:
        return loss
    if isinstance(loss, CompoundLoss):
        for name, part in loss.losses.items():
            loss.losses[name] = leaving_out(part, ignore_index)
        loss.ignore_index = ignore_index
    elif isinstance(loss, VoxelwiseLoss | BWCRLoss):
        check_ignore_index(ignore_index)
        check_changed(loss, ignore_index=ignore_index)
        loss.ignore_index = ignore_index
    else:
        return IgnoringLoss(loss, ignore_index)
    return loss
