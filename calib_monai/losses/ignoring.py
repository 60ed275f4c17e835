"""Ignoring: make any loss leave out the voxels of one label."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from calib_monai.arguments import check_ignore_index
from calib_monai.losses.bwcr import BWCRLoss
from calib_monai.losses.compound import CompoundLoss
from calib_monai.losses.targets import class_labels, ignored_voxels
from calib_monai.losses.voxelwise import VoxelwiseLoss

MEAN, SUM, WHOLE = KINDS = ("mean", "sum", "whole")  # over images, or of all voxels of the batch at once
TOLERANCE = 1e-4  # of sums of the same terms, relative


class IgnoringLoss(nn.Module):
    """A loss over the voxels whose label is not ignored; 0 if there are none.

    Most losses are a mean over images, as Dice. Then the loss is that of the n counted voxels of each image, weighted
    by n / N, where N is the number of counted voxels in the batch. For a mean over voxels, as cross-entropy, this is
    the mean over the N voxels. A loss that adds up images is added up. A loss of the whole batch at once, as Dice with
    `batch=True`, is that of the N voxels. A loss that is none of these, such as Dice plus cross-entropy with class
    weights, is weighted as a mean over images. The first call finds out which it is, with random logits. If no voxel is
    ignored, the loss is unchanged.

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
        self.kind = ""  # one of `KINDS`, once it was tried

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss, a scalar.

        Args:
            logits: (B, C, H, W[, D]).
            target: class indices, (B, 1, H, W[, D]).

        Raises:
            ValueError: `class_labels` or the loss refuses the logits or the target, or the loss depends on where a
                voxel lies.
        """
        self.kind = self.kind or _kind_of(self.loss, logits.shape[1], logits.device)
        counted = ~ignored_voxels(class_labels(logits, target, self.ignore_index)).flatten(1)
        of_images = counted.sum(dim=1)
        lengths = of_images.tolist()
        if sum(lengths) == counted.numel():
            whole: Tensor = self.loss(logits, target)
            return whole
        if self.kind == WHOLE:
            of_images, lengths = of_images.sum().unsqueeze(0), [sum(lengths)]
        # The voxels of all images are looked up at once: on a GPU each look waits for all before.
        places = counted.nonzero(as_tuple=True)
        rows, labels = (torch.split(_rows(given.as_subclass(Tensor))[places], lengths) for given in (logits, target))
        shares = torch.ones_like(of_images) if self.kind == SUM else of_images / of_images.sum()
        terms = [
            share * self.loss(_as_image(of_image), _as_image(of_labels))
            for share, of_image, of_labels in zip(shares, rows, labels, strict=True)
            if len(of_image)
        ]
        return torch.stack(terms).sum() if terms else logits.nan_to_num(0, 0, 0).mul(0).sum()


def _rows(tensor: Tensor) -> Tensor:
    """The voxels of each image as rows, (B, N, C)."""
    return tensor.flatten(2).movedim(1, -1)


def _as_image(rows: Tensor) -> Tensor:
    """Voxels (N, C) as an image (1, C, N, 1)."""
    return rows.T[None, :, :, None]


def _kind_of(loss: nn.Module, num_classes: int, device: torch.device) -> str:
    """How the loss of a batch follows from its images, one of `KINDS`.

    Raises:
        ValueError: it changes if the voxels lie elsewhere, or cannot be computed of voxels in a row.
    """
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, num_classes, 6, 5, generator=generator).to(device)
    target = torch.randint(num_classes, (2, 1, 6, 5), generator=generator).to(device)
    target[0, :, :4] = 0  # the images differ, so that counting each of them differs from counting all
    order = torch.randperm(30, generator=generator).to(device)
    rows, labels = (_rows(given)[:, order] for given in (logits, target))
    with torch.no_grad():
        try:
            whole = loss(logits, target)
            moved = loss(rows.movedim(-1, 1)[..., None], labels.movedim(-1, 1)[..., None])
            of_images = torch.stack([loss(*map(_as_image, image)) for image in zip(rows, labels, strict=True)])
            of_voxels = loss(*(_as_image(given.flatten(0, 1)) for given in (rows, labels)))
        except Exception as error:
            raise ValueError(f"{type(loss).__name__} cannot leave out voxels: {error}") from error
    if whole.numel() != 1:
        raise ValueError(f"{type(loss).__name__} gives {tuple(whole.shape)}; a loss must give one number")
    if not torch.allclose(moved, whole, rtol=TOLERANCE):
        raise ValueError(
            f"{type(loss).__name__} depends on where a voxel lies, so voxels cannot be left out of it: train without "
            "ignore_index, or with another loss"
        )
    found = {MEAN: of_images.mean(), SUM: of_images.sum(), WHOLE: of_voxels}
    return next((kind for kind in KINDS if torch.allclose(found[kind], whole, rtol=TOLERANCE)), MEAN)


def leaving_out(loss: nn.Module, ignore_index: int | None) -> nn.Module:
    """The loss without the voxels of this label.

    A loss of this package leaves them out itself: it is changed, and returned. Any other loss stays as it is, in an
    `IgnoringLoss`. If the label is None, the given loss is returned, with the label that it may ignore already.

    Args:
        loss: a function of (logits, target).
        ignore_index: a label that is no class.

    Raises:
        ValueError: the label is not a whole number, or the loss cannot leave it out.
    """
    if ignore_index is None:
        return loss
    if isinstance(loss, CompoundLoss):
        for name, part in loss.losses.items():
            loss.losses[name] = leaving_out(part, ignore_index)
        loss.ignore_index = ignore_index
    elif isinstance(loss, VoxelwiseLoss | BWCRLoss):
        loss.leave_out(ignore_index)
    else:
        return IgnoringLoss(loss, ignore_index)
    return loss
