"""Pieces: a loss and its gradient, computed for one piece of the batch after the other.

This file is about speed and may be skipped: `loss_of_sums` is the loss and has that loss's gradient.
A whole batch of logits does not fit into a processor's cache, and an ordinary backward pass writes and
reads many tensors of that size. Here autograd runs on one piece after the other, each small enough for
the cache, and only the gradient is kept.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual

# Logits in a piece on a CPU, for each thread: a 16th of the batch, which bounds what autograd keeps beside the
# gradient, but never more than 2 MiB in float32 nor less than a quarter of that.
PIECE_ELEMENTS = 2**19
SHARE = 16
DEVICE_ELEMENTS = 2**26  # on a GPU, where one launch should serve many voxels

Place = tuple[slice, ...]
Piece = tuple[Tensor, Tensor]
Sums = Callable[[Tensor, Tensor], Sequence[Tensor]]
LossOfSums = Callable[..., Tensor]


def loss_of_sums(
    sums: Sums, loss: LossOfSums, logits: Tensor, padded: Tensor, radius: int, *, of_images: bool
) -> Tensor:
    """A loss that depends on sums over voxels, a scalar.

    Args:
        sums: the logits and padded labels of a piece -> its sums over the voxels of each image, (B, ...) each.
        loss: these sums -> a scalar. The loss of a batch is the sum of the losses of its pieces.
        logits: (B, C, H, W[, D]), any float type; computed in float32 where it is half.
        padded: labels with `radius` more voxels on every side, as `class_labels` makes them.
        radius: of the margin.
        of_images: True if the losses of whole images add up, but not those of parts of an image. An image that is
            too large for a piece is then read twice, first for its sums and then for the gradient.
    """
    dtype = torch.promote_types(logits.dtype, torch.float32)
    if _is_transformed(logits):
        with torch.autocast(logits.device.type, enabled=False):
            return loss(*sums(logits.to(dtype), padded))
    differentiable = logits.requires_grad and torch.is_grad_enabled()
    gradient = torch.empty_like(logits, dtype=dtype) if differentiable else None
    with torch.autocast(logits.device.type, enabled=False), torch.set_grad_enabled(differentiable):
        values = [
            _loss_of_group(sums, loss, places, [_piece(logits, padded, radius, place) for place in places], gradient)
            for places in _places(logits, of_images=of_images)
        ]
    value = torch.stack(values).double().sum().to(dtype)
    return value if gradient is None else _WithGradient.apply(logits, value, gradient)  # type: ignore[no-untyped-call]


def _is_transformed(logits: Tensor) -> bool:
    """Whether `torch.func` or forward-mode differentiation sees to the derivatives, which pieces would hide from it."""
    is_dual = unpack_dual(logits).tangent is not None  # type: ignore[no-untyped-call]
    return is_dual or bool(torch._C._are_functorch_transforms_active())  # noqa: SLF001 - nothing public tells it


def _loss_of_group(
    sums: Sums, loss: LossOfSums, places: Sequence[Place], pieces: Sequence[Piece], gradient: Tensor | None
) -> Tensor:
    """The loss of the pieces at these places, without its history; its gradient is put into `gradient`, unless None."""
    differentiable = gradient is not None
    for logits, _ in pieces:
        logits.requires_grad_(differentiable)
    at_once = len(pieces) == 1  # what autograd keeps of several pieces would be too much
    with torch.set_grad_enabled(differentiable and at_once):
        found = [sums(*piece) for piece in pieces]
    totals = [sum(each).detach().requires_grad_(differentiable) for each in zip(*found, strict=True)]
    value = loss(*totals)
    if gradient is not None:
        slopes = torch.autograd.grad(value, totals)
        for place, piece in zip(places, pieces, strict=True):
            gradient[place] = _gradient(found[0] if at_once else sums(*piece), slopes, piece[0])
    return value.detach()


def _gradient(sums: Sequence[Tensor], slopes: Sequence[Tensor], logits: Tensor) -> Tensor:
    """The gradient by the logits of the sums times their slopes; numbers of voxels have none."""
    pairs = [(each, slope) for each, slope in zip(sums, slopes, strict=True) if each.requires_grad]
    outputs, weights = zip(*pairs, strict=True)
    (gradient,) = torch.autograd.grad(outputs, logits, weights)
    return gradient


def pieces(logits: Tensor, padded: Tensor, radius: int) -> Iterator[Piece]:
    """The logits and the padded labels of each piece, as `_piece` gives them."""
    for place in itertools.chain(*_places(logits, of_images=False)):
        yield _piece(logits, padded, radius, place)


class _WithGradient(torch.autograd.Function):
    """A value whose gradient is known."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        """The value, of these logits."""
        ctx.save_for_backward(gradient)
        ctx.dtype = logits.dtype
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient that was kept, times what comes from above.

        Where that is 1, it is the kept tensor itself: to change it in place forbids a second backward pass.
        """
        if torch.is_grad_enabled():  # autograd was asked for a graph of the gradient
            raise RuntimeError("this loss has no second derivative: leave create_graph out")
        (output,), (gradient,) = outputs, ctx.saved_tensors
        # To look costs nothing on a CPU and saves a copy of the gradient; on a GPU it would wait for all before.
        if output.device.type != "cpu" or output.item() != 1:
            gradient = gradient * output
        return gradient.to(ctx.dtype), None, None


def _piece(logits: Tensor, padded: Tensor, radius: int, place: Place) -> Piece:
    """The logits of a piece, at least float32 and without their history, and its labels with their margin."""
    images, classes, *sides = place
    around = (images, classes, *(slice(side.start, side.stop + 2 * radius) for side in sides))
    part = logits[place].detach()
    return part.to(torch.promote_types(part.dtype, torch.float32)), padded[around]


def _places(logits: Tensor, *, of_images: bool) -> list[list[Place]]:
    """The places of the pieces, in groups whose losses add up.

    A piece is some images or, where an image is too long, some of its rows, or columns of a row. Each piece is a
    group of its own; with `of_images` the pieces of one image are a group, and an image is one piece where it fits.
    """
    images, classes, *sides = logits.shape
    limit = DEVICE_ELEMENTS
    if logits.device.type == "cpu":
        share = min(SHARE, images) if of_images else SHARE
        limit = min(PIECE_ELEMENTS, max(PIECE_ELEMENTS // 4, logits.numel() // share)) * torch.get_num_threads()
        if of_images and limit < logits[0].numel():
            limit //= 2  # the image is read twice anyway, and half as much is kept at once
    lengths = [images, *sides]
    for axis, length in enumerate(lengths):
        most = max(1, limit // (classes * math.prod(lengths[axis + 1 :])))
        lengths[axis] = math.ceil(length / math.ceil(length / most))
    ranges = [
        [slice(start, min(start + length, whole)) for start in range(0, whole, length)]
        for whole, length in zip((images, *sides), lengths, strict=True)
    ]
    places = [(some, slice(None), *parts) for some, *parts in itertools.product(*ranges)]
    together = math.prod(map(len, ranges[1:])) if of_images else 1
    return [places[start : start + together] for start in range(0, len(places), together)]
