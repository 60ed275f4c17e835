"""Slices: volumes, prepared once, become shuffled batches of 2D slices as plain tensors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

IMAGE_DIMS = 3  # channel, height, width


class SliceLoader:
    """Batches of 2D slices drawn from all volumes at random, each slice once an epoch.

    The volumes are prepared once, here, and their slices kept in two tensors; a batch is one
    indexing of each. (Through MONAI's transforms item by item, an epoch of 6600 slices from cached
    volumes costs 21 s; this costs 0.1 s.)

    Args:
        volumes: a dataset of `{"image": (C, H, W[, D]), "label": (1, H, W[, D]), "case": name}`; all with
            one H and W. A 2D image is its own slice.
        batch_size: slices in a batch; the last batch holds what is left.
        seed: the order of epoch n follows from `seed` and n alone.
        shuffle: whether the order changes from epoch to epoch.
        empty_slices: whether slices are taken that show nothing but background.

    Raises:
        ValueError: no volume, no slice, a `batch_size` below 1, or volumes whose slices differ in size.

    Note:
        A batch is `{"image": (B, C, H, W) float32, "label": (B, 1, H, W) uint8}`.
    """

    def __init__(
        self,
        volumes: Sequence[Mapping[str, Any]],
        batch_size: int,
        seed: int = 0,
        *,
        shuffle: bool = True,
        empty_slices: bool = True,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        if len(volumes) == 0:
            raise ValueError("there is no volume to take slices from")
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0
        self.image, self.label = _slices_of(volumes, empty_slices=empty_slices)
        if len(self.image) == 0:
            raise ValueError(f"no slice of the {len(volumes)} volumes shows anything but background")

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return math.ceil(len(self.image) / self.batch_size)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """The batches of the next epoch."""
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        self.epoch += 1
        count = len(self.image)
        order = torch.randperm(count, generator=generator) if self.shuffle else torch.arange(count)
        for index in torch.split(order, self.batch_size):
            yield {"image": self.image[index], "label": self.label[index]}


def _slices_of(volumes: Sequence[Mapping[str, Any]], *, empty_slices: bool) -> tuple[Tensor, Tensor]:
    """All slices along the last axis: image (N, C, H, W) float32 and label (N, 1, H, W) uint8."""
    images: list[Tensor] = []
    labels: list[Tensor] = []
    for volume in tqdm(volumes, desc="Preparing volumes", unit="volume", disable=None):
        image, label = (_sliced(torch.as_tensor(volume[key]).as_subclass(Tensor)) for key in ("image", "label"))
        if images and image.shape[1:] != images[0].shape[1:]:
            raise ValueError(
                f"slices of case {volume.get('case')} are {tuple(image.shape[2:])}, those before it "
                f"{tuple(images[0].shape[2:])}; all must have one size: set `slice_size` to the largest"
            )
        shown = torch.ones(len(label), dtype=torch.bool) if empty_slices else label.flatten(1).any(dim=1)
        images.append(image[shown].float())
        labels.append(label[shown].to(torch.uint8))
    return torch.cat(images), torch.cat(labels)


def _sliced(volume: Tensor) -> Tensor:
    """The slices (D, C, H, W) of a volume (C, H, W, D), or the one of an image (C, H, W)."""
    return volume.unsqueeze(0) if volume.ndim == IMAGE_DIMS else volume.movedim(-1, 0)
