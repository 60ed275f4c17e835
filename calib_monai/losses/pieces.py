"""Pieces: a mean over voxels and its gradient, made together, a piece of the batch at a time.

This file is about speed and may be skipped: `mean_over_voxels` is a mean and has that mean's gradient.
A whole batch of logits does not fit into a processor's cache, and an ordinary backward pass writes and
reads several tensors of that size. Here each piece is small enough to stay in the cache, its gradient is
made at once, and the gradient is all that is kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from calib_monai.losses.scores import Scores
from calib_monai.priors import inner, no_class

if TYPE_CHECKING:
    from calib_monai.losses.voxelwise import VoxelwiseLoss

PIECE_ELEMENTS = 2**19  # logits in a piece at most, for each thread: 2 MiB in float32
PIECES = 16  # pieces in a batch, where they are neither larger than that nor less than half: bounds the temporaries
DEVICE_ELEMENTS = 2**26  # logits in a piece on a GPU, where one launch should serve many voxels


def mean_over_voxels(loss: VoxelwiseLoss, logits: Tensor, padded: Tensor) -> Tensor:
    """The mean of a loss over the voxels that count, a scalar.

    Args:
        loss: says what is averaged.
        logits: (B, C, H, W[, D]), any float type; computed in float32 where it is half.
        padded: labels with `loss.radius` more voxels on every side, as `class_labels` makes them.
    """
    mean: Tensor = _Mean.apply(logits, padded, loss)  # type: ignore[no-untyped-call]
    return mean


class _Mean(torch.autograd.Function):
    """The mean, and its gradient made in the forward pass."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, padded: Tensor, loss: VoxelwiseLoss) -> Tensor:
        """The mean, a scalar."""
        gradient = torch.empty_like(logits) if ctx.needs_input_grad[0] else None
        with torch.autocast(logits.device.type, enabled=False):
            scale = 1 / _counted(padded, loss)
            sums = []
            for image, rows in _pieces(logits):
                around = padded[image, :, rows.start : rows.stop + 2 * loss.radius]
                place = None if gradient is None else gradient[image, :, rows]
                sums.append(_sum_and_slope(logits[image, :, rows].detach(), around, loss, scale, place))
        if gradient is not None:
            ctx.save_for_backward(gradient)
        mean = torch.stack(sums).double().sum() * scale
        return mean if logits.dtype == torch.float64 else mean.float()

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient that was kept, times what comes from above."""
        (output,), (gradient,) = outputs, ctx.saved_tensors
        # To look costs nothing on a CPU and saves a copy of the gradient; on a GPU it would wait for all before.
        plain = output.device.type == "cpu" and output.item() == 1
        return (gradient if plain else gradient * output), None, None


def _sum_and_slope(logits: Tensor, padded: Tensor, loss: VoxelwiseLoss, scale: float, place: Tensor | None) -> Tensor:
    """Sum of the loss over the voxels of a piece, a scalar; `place` is filled with its slope times `scale`."""
    scores = Scores(logits if logits.dtype == torch.float64 else logits.float())
    weight = loss.weight(logits.shape[1])
    labels = inner(padded, loss.radius)
    ignored = None if loss.ignore_index is None else labels == no_class(labels.dtype)
    terms = loss.terms(scores, padded)
    total = weight * _sum(terms.value, ignored)
    known = None
    if loss.with_cross_entropy:
        known = (labels if ignored is None else labels.masked_fill(ignored, 0)).long()
        total = total + _sum(scores.cross_entropy(known), ignored)
    if place is not None:
        slope = place if place.dtype == scores.logits.dtype else torch.empty_like(scores.logits)
        scores.slope(terms, weight * scale, known, scale, out=slope)
        if ignored is not None:
            slope.masked_fill_(ignored, 0)
        if slope is not place:
            place.copy_(slope)
    return total


def _sum(values: Tensor, ignored: Tensor | None) -> Tensor:
    """Sum of what is not ignored."""
    return (values if ignored is None else values.masked_fill(ignored, 0)).sum()


def _counted(padded: Tensor, loss: VoxelwiseLoss) -> float:
    """Number of voxels that count; NaN where there is none, so that the mean is too."""
    labels = inner(padded, loss.radius)
    count = labels.numel() if loss.ignore_index is None else int((labels != no_class(labels.dtype)).sum().item())
    return count or float("nan")


def _pieces(logits: Tensor) -> Iterator[tuple[slice, slice]]:
    """Images and rows of one piece after the other: several images, one, or rows of one."""
    images, classes, height, *rest = logits.shape
    limit = DEVICE_ELEMENTS
    if logits.device.type == "cpu":
        limit = min(PIECE_ELEMENTS, max(PIECE_ELEMENTS // 2, logits.numel() // PIECES)) * torch.get_num_threads()
    row = classes * torch.Size(rest).numel()
    together = max(1, limit // (row * height))
    rows = math.ceil(height / max(1, round(row * height / limit)))
    for image in range(0, images, together):
        for start in range(0, height, rows):
            yield slice(image, min(image + together, images)), slice(start, min(start + rows, height))
