"""Pieces: a mean over voxels and its gradient, made together, a piece of the batch at a time.

This file is about speed and may be skipped: `mean_over_voxels` is a mean and has that mean's gradient.
A whole batch of logits does not fit into a processor's cache, and an ordinary backward pass writes and
reads several tensors of that size. Here each piece is small enough to stay in the cache, its gradient is
made at once, and the gradient is all that is kept.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from calib_monai.losses.scores import Scores
from calib_monai.priors import inner, no_class

if TYPE_CHECKING:
    from calib_monai.losses.voxelwise import VoxelwiseLoss

# Logits in a piece on a CPU, for each thread: a sixteenth of the batch, which bounds what the temporaries
# take beside the gradient, but never more than 2 MiB in float32 nor less than half of that.
PIECE_ELEMENTS = 2**19
SHARE = 16
DEVICE_ELEMENTS = 2**26  # on a GPU, where one launch should serve many voxels


def mean_over_voxels(loss: VoxelwiseLoss, logits: Tensor, padded: Tensor) -> Tensor:
    """The mean of a loss over the voxels that count, a scalar.

    Args:
        loss: says what is averaged.
        logits: (B, C, H, W[, D]), any float type; computed in float32 where it is half.
        padded: labels with `loss.radius` more voxels on every side, as `class_labels` makes them.
    """
    differentiable = logits.requires_grad and torch.is_grad_enabled()
    mean: Tensor = _Mean.apply(logits, padded, loss, differentiable)  # type: ignore[no-untyped-call]
    return mean


def pieces(logits: Tensor, padded: Tensor, radius: int) -> Iterator[tuple[tuple[slice, ...], Tensor, Tensor]]:
    """Where each piece of a batch lies, its logits without their history, and its labels with their margin.

    Args:
        logits: (B, C, H, W[, D]), any float type; a piece is float32 where they are half.
        padded: labels with `radius` more voxels on every side, (B, 1, ...).
        radius: of the margin that a piece's labels get, too.
    """
    for image, *sides in _pieces(logits):
        here = (image, slice(None), *sides)
        around = (image, slice(None), *(slice(side.start, side.stop + 2 * radius) for side in sides))
        part = logits[here].detach()
        yield here, part if part.dtype == torch.float64 else part.float(), padded[around]


class _Mean(torch.autograd.Function):
    """The mean, and its gradient made in the forward pass."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, padded: Tensor, loss: VoxelwiseLoss, differentiable: bool) -> Tensor:  # noqa: FBT001
        """The mean, a scalar."""
        gradient = torch.empty_like(logits) if differentiable else None
        single = logits.dtype in (torch.float32, torch.float64)
        with torch.autocast(logits.device.type, enabled=False):
            scale = 1 / _num_counted(padded, loss)
            # In half precision 1 / N is next to nothing: it is multiplied in after what comes from above.
            ctx.scale = None if single else scale
            sums = []
            for here, part, labels in pieces(logits, padded, loss.radius):
                place = None if gradient is None else gradient[here]
                sums.append(_sum_and_slope(part, labels, loss, scale if single else 1.0, place))
        if gradient is not None:
            ctx.save_for_backward(gradient)
        mean = torch.stack(sums).double().sum() * scale
        return mean if logits.dtype == torch.float64 else mean.float()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient that was kept, times what comes from above.

        Where that is 1, it is the kept tensor itself: to change it in place forbids a second backward pass.
        """
        (output,), (gradient,) = outputs, ctx.saved_tensors
        if ctx.scale is not None:
            return (gradient.float() * (output * ctx.scale)).to(gradient.dtype), None, None, None
        # To look costs nothing on a CPU and saves a copy of the gradient; on a GPU it would wait for all before.
        plain = output.device.type == "cpu" and output.item() == 1
        return (gradient if plain else gradient * output), None, None, None


def _sum_and_slope(logits: Tensor, padded: Tensor, loss: VoxelwiseLoss, scale: float, place: Tensor | None) -> Tensor:
    """Sum of the loss over the voxels of a piece, a scalar; `place` is filled with its slope times `scale`."""
    scores = Scores(logits)
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


def _num_counted(padded: Tensor, loss: VoxelwiseLoss) -> float:
    """Number of voxels that count; 1 where there is none, so that mean and gradient are 0."""
    labels = inner(padded, loss.radius)
    count = labels.numel() if loss.ignore_index is None else int((labels != no_class(labels.dtype)).sum().item())
    return max(count, 1)


def _pieces(logits: Tensor) -> Iterator[tuple[slice, ...]]:
    """Images and rows (and columns, where a row is too long) of one piece after the other."""
    limit = DEVICE_ELEMENTS
    if logits.device.type == "cpu":
        limit = min(PIECE_ELEMENTS, max(PIECE_ELEMENTS // 2, logits.numel() // SHARE)) * torch.get_num_threads()
    images, classes, *sides = logits.shape
    lengths = [images, *sides]
    for axis, length in enumerate(lengths):
        most = max(1, limit // (classes * math.prod(lengths[axis + 1 :])))
        lengths[axis] = math.ceil(length / math.ceil(length / most))
    ranges = [
        [slice(start, min(start + length, whole)) for start in range(0, whole, length)]
        for whole, length in zip((images, *sides), lengths, strict=True)
    ]
    yield from itertools.product(*ranges)
