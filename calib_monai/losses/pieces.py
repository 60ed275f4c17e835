"""Pieces: a mean over voxels and its gradient, a piece of the batch at a time.

This file is about speed and may be skipped: `mean_over_voxels` is a mean and has that mean's gradient.
A whole batch of logits does not fit into a processor's cache, and an ordinary backward pass writes and
reads many tensors of that size. Here autograd runs on one piece after the other, each small enough for
the cache, and only the gradient is kept.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from calib_monai.losses.targets import ignored_voxels
from calib_monai.priors import inner

# Logits in a piece on a CPU, for each thread: a 32nd of the batch, which bounds what autograd keeps beside the
# gradient, but never more than 2 MiB in float32 nor less than a quarter of that.
PIECE_ELEMENTS = 2**19
SHARE = 32
DEVICE_ELEMENTS = 2**26  # on a GPU, where one launch should serve many voxels

LossOfVoxels = Callable[[Tensor, Tensor], Tensor]


def mean_over_voxels(
    per_voxel: LossOfVoxels, logits: Tensor, padded: Tensor, radius: int, ignore_index: int | None
) -> Tensor:
    """The mean of a loss over the voxels that are not ignored, a scalar; 0 if all are.

    Args:
        per_voxel: (logits, padded) -> the loss of each voxel, (B, H, W[, D]).
        logits: (B, C, H, W[, D]), any float type; computed in float32 where it is half.
        padded: labels with `radius` more voxels on every side, as `class_labels` makes them.
        radius: of the margin.
        ignore_index: None if no voxel is ignored.
    """
    labels = inner(padded, radius)
    counted = labels.numel() if ignore_index is None else int((~ignored_voxels(labels)).sum())
    differentiable = logits.requires_grad and torch.is_grad_enabled()

    def total(part: Tensor, around: Tensor) -> Tensor:
        """The sum over the voxels of a piece; an ignored voxel's logits count as 0, even where they are not finite."""
        if ignore_index is None:
            return per_voxel(part, around).sum()
        ignored = ignored_voxels(inner(around, radius))
        return per_voxel(part.masked_fill(ignored, 0), around).masked_fill(ignored.squeeze(1), 0).sum()

    mean: Tensor = _Mean.apply(logits, padded, radius, total, 1 / max(counted, 1), differentiable)  # type: ignore[no-untyped-call]
    return mean


def pieces(logits: Tensor, padded: Tensor, radius: int) -> Iterator[tuple[tuple[slice, ...], Tensor, Tensor]]:
    """Where each piece of a batch lies, its logits without their history, and its labels with their margin.

    Args:
        logits: (B, C, H, W[, D]), any float type; a piece is float32 where they are half.
        padded: labels with `radius` more voxels on every side, (B, 1, ...).
        radius: of the margin that a piece's labels get, too.
    """
    for image, *sides in _places(logits):
        here = (image, slice(None), *sides)
        around = (image, slice(None), *(slice(side.start, side.stop + 2 * radius) for side in sides))
        part = logits[here].detach()
        yield here, part if part.dtype == torch.float64 else part.float(), padded[around]


class _Mean(torch.autograd.Function):
    """The mean, and its gradient made in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        padded: Tensor,
        radius: int,
        total: LossOfVoxels,
        scale: float,
        differentiable: bool,  # noqa: FBT001
    ) -> Tensor:
        """The mean, a scalar: `scale` times the sum of the totals of all pieces."""
        gradient = torch.empty_like(logits) if differentiable else None
        # In half precision 1 / N is next to nothing: it is multiplied in after what comes from above.
        single = logits.dtype in (torch.float32, torch.float64)
        sums = []
        with torch.autocast(logits.device.type, enabled=False), torch.set_grad_enabled(differentiable):
            for here, part, around in pieces(logits, padded, radius):
                value = total(part.requires_grad_(differentiable), around)
                sums.append(value.detach())
                if gradient is not None:
                    weight = value.new_tensor(scale if single else 1.0)
                    gradient[here] = torch.autograd.grad(value, part, weight)[0]
        if gradient is not None:
            ctx.save_for_backward(gradient)
            ctx.scale = None if single else scale
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
            gradient = (gradient.float() * (output * ctx.scale)).to(gradient.dtype)
        # To look costs nothing on a CPU and saves a copy of the gradient; on a GPU it would wait for all before.
        elif output.device.type != "cpu" or output.item() != 1:
            gradient = gradient * output
        return gradient, None, None, None, None, None


def _places(logits: Tensor) -> Iterator[tuple[slice, ...]]:
    """Images and rows (and columns, where a row is too long) of one piece after the other."""
    limit = DEVICE_ELEMENTS
    if logits.device.type == "cpu":
        limit = min(PIECE_ELEMENTS, max(PIECE_ELEMENTS // 4, logits.numel() // SHARE)) * torch.get_num_threads()
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
