"""Slices: volumes, prepared once, become shuffled batches of 2D slices as plain tensors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from calib_monai.processes import bar_is_hidden

IMAGE_DIMS = 3  # channel, height, width


class SliceLoader:
    """Batches of 2D slices drawn from all volumes at random, each slice once an epoch.

    The volumes are prepared once, here, and their slices kept in a tensor for each key; a batch is one
    indexing of each. (Through MONAI's transforms item by item, an epoch of 6600 slices from cached
    volumes costs 21 s; this costs 0.1 s.)

    Args:
        volumes: a dataset of `{"image": (C, H, W[, D]), "label": (1, H, W[, D]), "case": name}`; all with
            one H and W. A 2D image is its own slice.
        batch_size: slices in a batch; the last batch holds what is left.
        seed: the order of epoch n follows from `seed` and n alone.
        shuffle: whether the order changes from epoch to epoch.
        empty_slices: whether slices are taken that show nothing but background.
        extra_keys: of what else is served, as "weight", (K, H, W[, D]) in each volume.
        process: number of the process that this is, from 0.
        num_processes: number of processes that share each batch.
        device: where the slices are kept and batches are made; the CPU where they take more than half of the free
            memory of a GPU.

    Raises:
        ValueError: no volume, no slice, a `batch_size` below 1, or volumes whose slices differ in size.

    Note:
        A batch is `{"image": (B, C, H, W) float32, "label": (B, 1, H, W) uint8}`, and for each extra key (B, K, H, W)
        float32, which is kept, and so rounded, as float16. Where processes share it, "share" says what the mean loss of
        this process's slices must be multiplied by, so that the mean over processes is that of the whole batch; 0 where
        there is none for it, and it is served another's.
    """

    def __init__(
        self,
        volumes: Sequence[Mapping[str, Any]],
        batch_size: int,
        seed: int = 0,
        *,
        shuffle: bool = True,
        empty_slices: bool = True,
        extra_keys: Sequence[str] = (),
        process: int = 0,
        num_processes: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
        if len(volumes) == 0:
            raise ValueError("there is no volume to take slices from")
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.process = process
        self.num_processes = num_processes
        self.epoch = 0
        kept = {"image": torch.float32, "label": torch.uint8} | dict.fromkeys(extra_keys, torch.float16)
        self.slices = _slices_of(volumes, kept, empty_slices=empty_slices)
        self.count = len(self.slices["image"])
        if self.count == 0:
            raise ValueError(f"no slice of the {len(volumes)} volumes shows anything but background")
        self.device = _device_with_room(self.slices.values(), torch.device(device))
        self.slices = {key: slices.to(self.device) for key, slices in self.slices.items()}

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return math.ceil(self.count / self.batch_size)

    def last_batch(self, batch_size: int) -> int:
        """Number of slices that the last batch of an epoch would hold, in all processes, with batches of this size."""
        return self.count % batch_size or min(self.count, batch_size)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The batches of the next epoch, of each the slices of this process."""
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        self.epoch += 1
        order = torch.randperm(self.count, generator=generator) if self.shuffle else torch.arange(self.count)
        for whole in torch.split(order.to(self.device), self.batch_size):
            own = whole[self.process :: self.num_processes]
            index = own if len(own) else whole[:1]  # with a share of 0, for all processes must take all steps
            batch = {key: slices[index] for key, slices in self.slices.items()}
            batch = {key: values.float() if values.dtype == torch.float16 else values for key, values in batch.items()}
            yield batch | {"share": len(own) * self.num_processes / len(whole)} if self.num_processes > 1 else batch

    def state_dict(self) -> dict[str, int]:
        """What a checkpoint keeps, from which the order of the next epoch follows."""
        return {"epoch": self.epoch}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on after the epoch that a checkpoint was written in."""
        self.epoch = int(state["epoch"])


def _slices_of(
    volumes: Sequence[Mapping[str, Any]], kept: Mapping[str, torch.dtype], *, empty_slices: bool
) -> dict[str, Tensor]:
    """All slices along the last axis, (N, channels, H, W), for each key in the type in which it is kept."""
    found: dict[str, list[Tensor]] = {key: [] for key in kept}
    for volume in tqdm(volumes, desc="Preparing volumes", unit="volume", disable=bar_is_hidden()):
        slices = {key: _sliced(torch.as_tensor(volume[key]).as_subclass(Tensor)) for key in kept}
        size, before = slices["image"].shape[1:], found["image"]
        if before and size != before[0].shape[1:]:
            raise ValueError(
                f"slices of case {volume.get('case')} are {tuple(size[1:])}, those before it "
                f"{tuple(before[0].shape[2:])}; all must have one size: set `slice_size` to the largest"
            )
        label = slices["label"]
        shown = torch.ones(len(label), dtype=torch.bool) if empty_slices else label.flatten(1).any(dim=1)
        for key, dtype in kept.items():
            found[key].append(slices[key][shown].to(dtype))
    return {key: torch.cat(slices) for key, slices in found.items()}


def _device_with_room(tensors: Iterable[Tensor], device: torch.device) -> torch.device:
    """The device; the CPU where it is a GPU of whose free memory the tensors take more than half."""
    if device.type != "cuda":
        return torch.device("cpu")
    free, _ = torch.cuda.mem_get_info(device)
    return device if sum(tensor.nbytes for tensor in tensors) <= free / 2 else torch.device("cpu")


def _sliced(volume: Tensor) -> Tensor:
    """The slices (D, C, H, W) of a volume (C, H, W, D), or the one of an image (C, H, W)."""
    return volume.unsqueeze(0) if volume.ndim == IMAGE_DIMS else volume.movedim(-1, 0)
