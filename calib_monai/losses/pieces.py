"""Pieces: a mean over voxels and its gradient, made together, a piece of the batch at a time.

This file is about speed and may be skipped: `mean_over_voxels(voxel_losses, logits, ...)` is
`voxel_losses(logits, logits.log_softmax(dim=1), ...).mean()`, differentiable with respect to the
logits. A whole batch of logits does not fit into a processor's cache, and an ordinary backward pass
writes and reads several tensors of that size. Here each piece is small enough to stay in the cache,
its gradient is made at once, and the gradient is all that is kept. The softmax and its derivative are
written out, for PyTorch's own goes along the classes, which lie far apart in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from calib_monai.priors import inner

VoxelLosses = Callable[[Tensor, Tensor, Tensor], Tensor]

PIECE_ELEMENTS = 2**18  # logits in a piece: 1 MiB in float32, what a core's cache holds beside its temporaries
DEVICE_ELEMENTS = 2**26  # on a GPU: bounds the temporaries, while one launch serves many voxels


def mean_over_voxels(
    voxel_losses: VoxelLosses, logits: Tensor, padded: Tensor, radius: int, ignored: int | None = None
) -> Tensor:
    """`voxel_losses(logits, log_probs, padded)` averaged over the voxels that count, a scalar.

    Args:
        voxel_losses: logits and log-probabilities (b, C, h, W[, D]) and the labels around them
            (b, 1, h + 2r, W + 2r[, D + 2r]) -> losses (b, h, W[, D]), differentiable plain PyTorch.
        logits: (B, C, H, W[, D]), any float type; computed in float32 where it is half.
        padded: class indices with r more voxels on every side, (B, 1, H + 2r, W + 2r[, D + 2r]).
        radius: r.
        ignored: the label of voxels that do not count.
    """
    mean: Tensor = _Mean.apply(logits, padded, voxel_losses, radius, ignored)  # type: ignore[no-untyped-call]
    return mean


class _Mean(torch.autograd.Function):
    """The mean, and its gradient made in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, padded: Tensor, voxel_losses: VoxelLosses, radius: int, ignored: int | None
    ) -> Tensor:
        """The mean, a scalar."""
        wanted = bool(ctx.needs_input_grad[0])
        gradient = torch.empty_like(logits) if wanted else None
        total = torch.zeros((), dtype=torch.float64, device=logits.device)
        with torch.autocast(logits.device.type, enabled=False):
            scale = 1 / _counted(padded, radius, ignored)
            for image, rows in _pieces(logits):
                labels = padded[image, :, rows.start : rows.stop + 2 * radius]
                piece = logits[image, :, rows].detach()
                piece = piece if piece.dtype == torch.float64 else piece.float()
                probs, log_probs = _softmax(piece)
                with torch.set_grad_enabled(wanted):
                    leaves = piece.requires_grad_(wanted), log_probs.requires_grad_(wanted)
                    losses = voxel_losses(*leaves, labels)
                    if ignored is not None:
                        losses = losses.masked_fill(inner(labels, radius).squeeze(1) == ignored, 0)
                    loss = losses.sum()
                total += loss.detach()
                if gradient is not None:
                    by_logits, by_log_probs = torch.autograd.grad(loss, leaves, allow_unused=True)
                    gradient[image, :, rows] = _through_softmax(by_logits, by_log_probs, probs).mul_(scale)
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return (total * scale).to(torch.float64 if logits.dtype == torch.float64 else torch.float32)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient that was kept, times what comes from above."""
        (output,), (gradient,) = outputs, ctx.saved_tensors
        # To look costs nothing on a CPU and saves a copy of the gradient; on a GPU it would wait for all before.
        plain = output.device.type == "cpu" and output.item() == 1
        return (gradient if plain else gradient * output), None, None, None, None


def _softmax(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities and their logarithms over axis 1."""
    log_probs = logits - logits.amax(dim=1, keepdim=True)
    probs = log_probs.exp()
    sums = probs.sum(dim=1, keepdim=True)
    return probs.div_(sums), log_probs.sub_(sums.log())


def _through_softmax(by_logits: Tensor | None, by_log_probs: Tensor | None, probs: Tensor) -> Tensor:
    """Slope with respect to the logits: d log p_k / d l_j = [j = k] - p_j."""
    if by_log_probs is None:
        return by_logits if by_logits is not None else torch.zeros_like(probs)
    slope = torch.addcmul(by_log_probs, probs, by_log_probs.sum(dim=1, keepdim=True), value=-1)
    return slope if by_logits is None else slope.add_(by_logits)


def _counted(padded: Tensor, radius: int, ignored: int | None) -> float:
    """Number of voxels that count; NaN where there is none, so that the mean is too."""
    labels = inner(padded, radius)
    count = labels.numel() if ignored is None else int((labels != ignored).sum().item())
    return count or float("nan")


def _pieces(logits: Tensor) -> Iterator[tuple[slice, slice]]:
    """Images and rows of one piece after the other: several images, one, or rows of one."""
    images, classes, height, *rest = logits.shape
    limit = PIECE_ELEMENTS * torch.get_num_threads() if logits.device.type == "cpu" else DEVICE_ELEMENTS
    row = classes * torch.Size(rest).numel()
    together = max(1, limit // (row * height))
    rows = height if row * height <= limit else max(1, limit // row)
    for image in range(0, images, together):
        for start in range(0, height, rows):
            yield slice(image, min(image + together, images)), slice(start, min(start + rows, height))
