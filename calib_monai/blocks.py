"""Blocks: slices of one size in memory, each held once, in the smallest type that is exact enough."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

BLOCK_BYTES = 2**26  # large enough to be given back to the system as a whole
MOST_ROUNDED = 1 / 2000  # of the range of a volume, by float16


class Blocks:
    """Slices of one size in blocks of memory. No slice is held twice, as it would be if tensors were joined.

    Args:
        dtype: in which they are kept. Once float16 would round a slice by more than 1/2000 of the range of those that
            come with it, all are kept as float32.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.blocks: list[Tensor] = []
        self.size: tuple[int, ...] = ()
        self.count = 0
        self.per_block = 1

    def __len__(self) -> int:
        """Number of slices."""
        return self.count

    @property
    def nbytes(self) -> int:
        """The bytes that the slices take."""
        return self.count * prod(self.size) * self.dtype.itemsize

    def add(self, slices: Tensor) -> None:
        """Add slices (N, channels, H, W) of any type."""
        if not self.size:
            self.size = tuple(slices.shape[1:])
            self.per_block = max(1, BLOCK_BYTES // (prod(self.size) * self.dtype.itemsize))
        if self.dtype == torch.float16 and not fits_float16(slices):
            self.dtype = torch.float32
            for index, block in enumerate(self.blocks):
                self.blocks[index] = block.float()
        while len(slices):
            place = self.count % self.per_block
            if place == 0:  # the system gives memory once it is written to
                self.blocks.append(torch.empty((self.per_block, *self.size), dtype=self.dtype))
            now = min(len(slices), self.per_block - place)
            self.blocks[-1][place : place + now] = slices[:now]
            self.count += now
            slices = slices[now:]

    def move(self, device: torch.device) -> None:
        """Keep the slices on a device, there in one block; on the CPU they stay as they are."""
        if device.type == "cpu":
            return
        whole = torch.empty((self.count, *self.size), dtype=self.dtype, device=device)
        for index, part in enumerate(torch.split(whole, self.per_block)):
            part.copy_(self.blocks[index][: len(part)])
            self.blocks[index] = part[:0]  # given back before the next one is copied
        self.blocks, self.per_block = [whole], self.count

    def take(self, index: Tensor) -> Tensor:
        """The slices of these numbers (B,), as (B, channels, H, W) in float32 or uint8."""
        if len(self.blocks) == 1:
            taken = self.blocks[0][index]
        else:
            taken = torch.stack([self.blocks[at // self.per_block][at % self.per_block] for at in index.tolist()])
        return taken.float() if taken.dtype == torch.float16 else taken


def fits_float16(values: Tensor) -> bool:
    """Whether float16 rounds no value (N, channels, H, W) by more than `MOST_ROUNDED` of the range of its channel."""
    if values.numel() == 0:
        return True
    axes = (0, 2, 3)
    width = values.amax(dim=axes) - values.amin(dim=axes)
    rounded = (values.half().to(values.dtype) - values).abs().amax(dim=axes)
    return bool((rounded <= MOST_ROUNDED * width).all())
