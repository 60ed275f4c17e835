"""Slices: turns volumes, prepared once, into shuffled batches of 2D slices as plain tensors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from torch import Tensor
from tqdm import tqdm

from calib_monai.arguments import MOST, check_whole
from calib_monai.blocks import Blocks
from calib_monai.grids import SPATIAL_DIMS, distance_of_grids
from calib_monai.processes import bar_is_hidden
from calib_monai.refusals import causes_of, first_lines, refusal_of

IMAGE_DIMS = 3  # channel, height, width


class SliceLoader:
    """Batches of 2D slices drawn from all volumes at random, each slice once an epoch.

    The volumes are prepared once, here, and their slices kept in memory; a batch copies some of them. (Through
    MONAI's transforms item by item, an epoch of 6600 slices from cached volumes costs 21 s; this costs 0.2 s.)

    Args:
        volumes: a dataset of `{"image": (C, H, W[, D]), "label": (1, H, W[, D]), "case": name}`, all with the same H
            and W. A 2D image is its own slice.
        batch_size: slices in a batch; the last batch holds the rest.
        seed: `seed` and n alone determine the order of epoch n.
        empty_slices: whether slices with nothing but background are used.
        ignore_index: label of voxels that are not trained on, or None. A slice that holds only this label is never
            used.
        extra_keys: keys of further maps, such as "weight", (K, H, W[, D]) in each volume.
        process: number of this process, from 0.
        num_processes: number of processes that share each batch.
        device: the device of slices and batches; the CPU if they need more than half of the free memory of a GPU.

    Raises:
        ValueError: no volume, no slice, a `batch_size` below 1, labels that are not whole numbers from 0 to 255, or
            slices or maps that differ in size.

    Note:
        A batch is `{"image": (B, C, H, W) float32, "label": (B, 1, H, W) uint8}`, and for each extra key (B, K, H, W)
        float32. Images and extra keys are kept as float16, which halves the memory and rounds an image of [0, 1] by at
        most 0.00025. If float16 would round a value by more than 1/2000 of its range, all are kept as float32. If
        processes share a batch, the mean loss of this process's slices must be multiplied by "share". The mean over
        processes then equals the mean of the whole batch. A process without slices of its own has a share of 0, and
        gets another's slice.
    """

    def __init__(
        self,
        volumes: Sequence[Mapping[str, Any]],
        batch_size: int,
        seed: int = 0,
        *,
        empty_slices: bool = True,
        ignore_index: int | None = None,
        extra_keys: Sequence[str] = (),
        process: int = 0,
        num_processes: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        check_whole("batch_size", batch_size, 1)
        if len(volumes) == 0:
            raise ValueError("there is no volume to take slices from")
        self.batch_size = batch_size
        self.seed = seed
        self.process = process
        self.num_processes = num_processes
        self.epoch = 0
        self.slices = {"image": Blocks(torch.float16), "label": Blocks(torch.uint8)}
        self.slices |= {key: Blocks(torch.float16) for key in extra_keys}
        _fill(self.slices, volumes, empty_slices=empty_slices, ignore_index=ignore_index)
        self.count = len(self.slices["image"])
        if self.count == 0:
            also = "" if ignore_index is None else f" and the ignored label {ignore_index}"
            raise ValueError(f"no slice of the {len(volumes)} volumes shows anything but background{also}")
        self.device = _device_with_room(self.slices.values(), torch.device(device))
        for slices in self.slices.values():
            slices.move(self.device)

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
        order = torch.randperm(self.count, generator=generator).to(self.device)
        for whole in torch.split(order, self.batch_size):
            own = whole[self.process :: self.num_processes]
            index = own if len(own) else whole[:1]  # with a share of 0, for all processes must take all steps
            batch: dict[str, Any] = {key: slices.take(index) for key, slices in self.slices.items()}
            yield batch | {"share": len(own) * self.num_processes / len(whole)} if self.num_processes > 1 else batch

    def state_dict(self) -> dict[str, int]:
        """The state that a checkpoint keeps; the order of the next epoch follows from it."""
        return {"epoch": self.epoch}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue after the epoch of a checkpoint."""
        self.epoch = int(state["epoch"])


def _fill(
    kept: Mapping[str, Blocks], volumes: Sequence[Mapping[str, Any]], *, empty_slices: bool, ignore_index: int | None
) -> None:
    """Add the slices of all volumes along their last axis, for each key."""
    for index in tqdm(range(len(volumes)), desc="Preparing volumes", unit="volume", disable=bar_is_hidden()):
        volume = _prepared(volumes, index)
        slices = {key: _sliced(torch.as_tensor(volume[key]).as_subclass(Tensor)) for key in kept}
        size, before = tuple(slices["image"].shape[1:]), kept["image"].size
        if before and size != before:
            raise ValueError(
                f"slices of case {volume.get('case')} are {size[1:]}, those before it {before[1:]}; all must have one "
                "size: set `slice_size` to the largest"
            )
        check_prepared(slices, str(volume.get("case")))
        check_together(volume)
        taken = _taken(slices["label"].flatten(1), empty_slices=empty_slices, ignore_index=ignore_index)
        for key, blocks in kept.items():
            blocks.add(slices[key] if taken.all() else slices[key][taken])


def _prepared(volumes: Sequence[Mapping[str, Any]], index: int) -> Mapping[str, Any]:
    """A volume of a dataset; raise ValueError with its case if a transform fails."""
    try:
        return volumes[index]
    except Exception as error:
        if refusal_of(error) is not None:
            raise
        cases: Any = getattr(volumes, "data", None)
        case = cases[index].get("case") if isinstance(cases, Sequence) else index
        raise ValueError(f"case {case} cannot be prepared: {first_lines(causes_of(error)[-1])}") from error


def check_prepared(slices: Mapping[str, Tensor], case: str) -> None:
    """Raise ValueError if the preparation of a case has left no whole labels, or maps of different sizes.

    Args:
        slices: by key, (D, channels, H, W).
        case: its name.
    """
    image, label = slices["image"], slices["label"]
    for key, maps in slices.items():
        if maps.shape[2:] != image.shape[2:] or len(maps) != len(image):
            raise ValueError(
                f"case {case}: {len(image)} slice(s) of the image are {_size(image)} after the preparation, and "
                f"{len(maps)} of {key} are {_size(maps)}: a transform that changes sizes must change all of them"
            )
    wrong = label[(label < 0) | (label > MOST) | (label != label.round())] if label.numel() else label
    if len(wrong):
        raise ValueError(
            f"case {case}: after the preparation the label holds {wrong[0].item():g}, and labels must be whole numbers "
            f"from 0 to {MOST}: a transform that interpolates needs the mode nearest for the label"
        )


def check_together(volume: Mapping[str, Any]) -> None:
    """Raise ValueError if the preparation of a case has moved its image and not its label, or made it one value.

    Args:
        volume: "image", (C, H, W[, D]), "label", (1, H, W[, D]), and "case".
    """
    image, label, case = volume["image"], volume["label"], volume.get("case")
    if _are_apart(image, label):
        raise ValueError(
            f"case {case}: after the preparation image and label no longer lie in the same place: a transform that "
            'moves voxels must have both keys, "@keys"'
        )
    low, high = torch.aminmax(torch.as_tensor(image).as_subclass(Tensor))
    if low == high:
        raise ValueError(
            f"case {case}: after the preparation the image holds one value only, {low.item():g}: look at its "
            "transforms and at what they take from it, such as a window"
        )


def _are_apart(image: Any, label: Any) -> bool:
    """Whether two volumes of the same shape lie more than a voxel apart.

    A turn moves a corner by the whole image. Pictures and tensors without an affine are not compared, nor is the affine
    of a new MetaTensor, which some transforms leave.
    """
    both = [one for one in (image, label) if isinstance(one, MetaTensor) and one.ndim - 1 == SPATIAL_DIMS]
    if len(both) < 2 or any(torch.equal(one.affine, torch.eye(4).to(one.affine)) for one in both):  # noqa: PLR2004 - both
        return False
    return distance_of_grids(image, label) > float(label.pixdim.max())


def _size(maps: Tensor) -> str:
    """Height and width, as text."""
    return " x ".join(map(str, maps.shape[2:]))


def _taken(labels: Tensor, *, empty_slices: bool, ignore_index: int | None) -> Tensor:
    """Mask of the slices that are used, (D,), bool, from their labels, (D, voxels)."""
    counted = torch.ones_like(labels, dtype=torch.bool) if ignore_index is None else labels != ignore_index
    return (counted if empty_slices else counted & (labels != 0)).any(dim=1)


def _device_with_room(kept: Iterable[Blocks], device: torch.device) -> torch.device:
    """The device; the CPU if the slices need more than half of the free memory of a GPU."""
    if device.type != "cuda":
        return torch.device("cpu")
    free, _ = torch.cuda.mem_get_info(device)
    return device if sum(blocks.nbytes for blocks in kept) <= free / 2 else torch.device("cpu")


def _sliced(volume: Tensor) -> Tensor:
    """The slices (D, C, H, W) of a volume (C, H, W, D), or the single slice of an image (C, H, W)."""
    return volume.unsqueeze(0) if volume.ndim == IMAGE_DIMS else volume.movedim(-1, 0)
