"""Voxelwise losses: a mean over voxels is written as the equation of one voxel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from calib_monai.arguments import check_ignore_index, shown_arguments
from calib_monai.losses.pieces import loss_of_sums
from calib_monai.losses.targets import class_labels, ignored_voxels
from calib_monai.losses.uncompiled import uncompiled
from calib_monai.priors import inner, pad_labels

PENALTY_KINDS = ("linear", "quadratic")
SMOOTH = 1e-5  # MONAI's, in Dice: a class with neither label nor probability has a loss of 0


class VoxelwiseLoss(nn.Module):
    """Base of losses that are a mean over voxels. A subclass implements `per_voxel`.

    If a voxel's loss depends on its neighbors, it also sets `radius` and `border`. A loss with a term for each image,
    such as Dice, sets `of_images` and implements `terms` and `of_image`. A loss that sums in bins implements `sums`
    instead of `terms`.

    Args:
        ignore_index: label of voxels that are left out of the mean and of every neighborhood.

    Raises:
        ValueError: `ignore_index` is not a whole number.
    """

    radius = 0  # voxels around a voxel whose labels its loss depends on
    border = "replicate"
    of_images = False  # whether the losses of whole images add up, but not those of their parts

    def __init__(self, ignore_index: int | None = None) -> None:
        super().__init__()
        self.leave_out(ignore_index)

    def leave_out(self, ignore_index: int | None) -> None:
        """Leave out the voxels of this label, or none if it is None.

        Raises:
            ValueError: the label is not a whole number, or this loss cannot leave it out.
        """
        check_ignore_index(ignore_index)
        self.ignore_index = ignore_index

    def per_voxel(self, logits: Tensor, padded: Tensor) -> Tensor:
        """The loss of each voxel, (B, H, W[, D]); that of an ignored voxel is not used.

        Args:
            logits: (B, C, H, W[, D]), float32 or float64.
            padded: labels with `radius` more voxels on every side, (B, 1, ...), as `class_labels` makes them.
        """
        raise NotImplementedError

    @uncompiled  # its gradient is its own
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss, a scalar; 0 where every voxel is ignored.

        Args:
            logits: (B, C, H, W[, D]), any float dtype.
            target: class indices, (B, 1, H, W[, D]), integer or float dtype.

        Raises:
            ValueError: `class_labels` refuses the target, or the loss has trainable parameters, which would get
                no gradient.
        """
        if any(parameter.requires_grad for parameter in self.parameters()):
            raise ValueError(f"{type(self).__name__} has parameters that are trained; they would get no gradient")
        padded = self.padded_labels(logits, target)
        images: Tensor | int = len(target)
        voxels: Tensor | int = target.numel()
        if self.ignore_index is not None:
            counted = (~ignored_voxels(inner(padded, self.radius))).flatten(1).sum(dim=1)
            # They stay tensors: to read a number from a GPU is to wait for it.
            images, voxels = counted.count_nonzero().clamp(min=1), counted.sum().clamp(min=1)
        loss = partial(self._of_sums, images=images, voxels=voxels)
        return loss_of_sums(self.sums, loss, logits.as_subclass(Tensor), padded, self.radius, of_images=self.of_images)

    def sums(self, logits: Tensor, padded: Tensor) -> Sequence[Tensor]:
        """The sums of `terms` over the voxels of each image that are not ignored, (B, channels) each."""
        if self.ignore_index is None:
            terms = self.terms(logits, padded)
        else:  # the logits of an ignored voxel need not be finite
            ignored = ignored_voxels(inner(padded, self.radius))
            terms = [term.masked_fill(ignored, 0) for term in self.terms(logits.masked_fill(ignored, 0), padded)]
        return [term.flatten(2).sum(dim=2) for term in terms]

    def terms(self, logits: Tensor, padded: Tensor) -> Sequence[Tensor]:
        """What is summed over voxels, (B, channels, H, W[, D]) each.

        The first is the loss of each voxel. `of_image` takes the sums of the others, if there are any.
        """
        return [self.per_voxel(logits, padded).unsqueeze(1)]

    def of_image(self, *sums: Tensor) -> Tensor:
        """The loss of each class in each image, (B, C), of all sums but the first."""
        raise NotImplementedError

    def _of_sums(self, of_voxels: Tensor, *others: Tensor, images: Tensor | int, voxels: Tensor | int) -> Tensor:
        """The mean loss of the voxels plus, if there are other sums, the mean loss of the classes of the images.

        Args:
            of_voxels: sum of the losses of voxels, (B, 1), of some images or, unless `of_images`, of parts of them.
            others: the other sums, (B, ...) each.
            images: number of images in the whole batch with a voxel that is not ignored, at least 1.
            voxels: number of such voxels in the whole batch, at least 1.
        """
        mean = of_voxels.sum() / voxels
        return mean + self.of_image(*others).mean(dim=1).sum() / images if others else mean

    def padded_labels(self, logits: Tensor, target: Tensor) -> Tensor:
        """The labels as `per_voxel` takes them, (B, 1, ...).

        Raises:
            ValueError: `class_labels` refuses the target.
        """
        return pad_labels(class_labels(logits, target, self.ignore_index), self.radius, self.border)

    def extra_repr(self) -> str:
        """The arguments it was made with."""
        return shown_arguments(self)


def dice_loss(distance: Tensor, total: Tensor) -> Tensor:
    """1 - Dice, of the shape of the arguments.

    Args:
        distance: the sum of |p - y| over voxels, of any shape, such as (B, C).
        total: that of p + y.
    """
    return distance / (total + SMOOTH)


def finite(log_probs: Tensor) -> Tensor:
    """Log p, or where p is 0 the lowest finite number, so that 0 log p is 0."""
    return log_probs.clamp(min=torch.finfo(log_probs.dtype).min)


def negative_log_likelihood(log_probs: Tensor, padded: Tensor) -> Tensor:
    """-log p_y of each voxel, (B, H, W[, D]), and any finite number where the voxel is ignored.

    Args:
        log_probs: log p, (B, C, H, W[, D]).
        padded: labels y with a margin, (B, 1, ...), as `class_labels` makes them.
    """
    labels = inner(padded, (padded.shape[2] - log_probs.shape[2]) // 2)
    return -log_probs.gather(1, labels.clamp(max=log_probs.shape[1] - 1).long()).squeeze(1)
