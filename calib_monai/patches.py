"""Patches: random parts of volumes, balanced over classes, which a network for volumes is trained on."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import CacheDataset, DataLoader, Dataset, ThreadBuffer
from monai.transforms import (
    ClassesToIndicesd,
    Compose,
    MapTransform,
    RandCropByLabelClassesd,
)
from monai.utils import ensure_tuple
from torch import Tensor

from calib_monai.arguments import check_number, check_whole
from calib_monai.blocks import fits_float16
from calib_monai.case_keys import IMAGE_AND_LABEL, LABEL
from calib_monai.composed import flattened
from calib_monai.descriptions import described_changes
from calib_monai.grids import SPATIAL_DIMS
from calib_monai.processes import bar_is_hidden
from calib_monai.slices import check_prepared, check_together

PLACES = 100_000  # of each class in a volume, among which the centers of patches are drawn
CENTERS = f"{LABEL}_cls_indices"  # where `ClassesToIndicesd` puts these places
BUFFERED = 2  # batches that wait for the network


class RandomPatchesd(Compose):
    """Random patches of volumes, by MONAI's transforms: the class of the center is drawn first, then its voxel.

    It is the last transform of a training. Up to the crop all is done once and cached, see `PatchLoader`.

    Args:
        made_for: what the model is made for, which gives the size of patches and the number of classes.
        augmentation: changes of patches, transforms of "image", (C, H, W, D), and "label", (1, H, W, D). A training
            with `augment` makes them, see `PatchLoader`.
        patches_per_volume: patches of each volume in an epoch.
        ratios: how often the center is of each class, the background first; by default all equally often. In a volume
            without any of the classes that are drawn, all its voxels are drawn equally often.
        keys: what is cropped.
    """

    def __init__(
        self,
        made_for: Any,
        augmentation: Callable[[Mapping[Hashable, Any]], Any] | None = None,
        patches_per_volume: int = 1,
        ratios: Sequence[float] | None = None,
        keys: KeysCollection = IMAGE_AND_LABEL,
    ) -> None:
        check_whole("patches_per_volume", patches_per_volume, 1)
        if made_for.spatial_dims != SPATIAL_DIMS:
            raise ValueError(f"spatial_dims is {made_for.spatial_dims}; patches are for networks of {SPATIAL_DIMS}")
        if ratios is not None and len(ratios) != made_for.num_classes:
            raise ValueError(f"ratios are {list(ratios)}; there are {made_for.num_classes} classes")
        self.patches_per_volume = patches_per_volume
        self.ratios = None if ratios is None else [float(ratio) for ratio in ratios]
        self.augmentation = augmentation
        names, classes = list(ensure_tuple(keys)), made_for.num_classes
        for ratio in ratios or ():
            check_number("a number in ratios", ratio, 0, math.inf)
        if ratios is not None and not any(ratios):
            raise ValueError(f"ratios are {list(ratios)}; one must be above 0")
        super().__init__(
            [
                _Heldd(names),
                ClassesToIndicesd(LABEL, num_classes=classes, max_samples_per_class=PLACES),
                _Centersd(CENTERS, ratios or [1] * classes),
                RandCropByLabelClassesd(
                    names,
                    LABEL,
                    spatial_size=list(made_for.slice_size),
                    ratios=None if ratios is None else list(ratios),
                    num_classes=classes,
                    num_samples=1,
                    indices_key=CENTERS,
                    warn=False,
                ),
                _Ownd(names),
            ]
        )


class PatchLoader:
    """Batches of random patches of all volumes, drawn anew in each epoch.

    The volumes are prepared once and cached by MONAI's `CacheDataset`. A thread draws the next patches while the
    network computes. Images are kept as float16 where that rounds them by less than 1/2000 of their range.

    Args:
        volumes: the data set of a training, with `RandomPatchesd` as the last of its transforms.
        batch_size: patches in a batch; the last batch holds the rest.
        seed: `seed` and n alone determine the patches of epoch n.
        augment: whether patches are changed by their `augmentation`.
        process: number of this process, from 0.
        num_processes: number of processes that share each batch.

    Attributes:
        settings: what decides the patches besides the seed, as plain values that a checkpoint can hold.

    Raises:
        ValueError: no volume, a `batch_size` below 1, or labels that are not whole numbers from 0 to 255.

    Note:
        A batch is `{"image": (B, C, H, W, D) float32, "label": (B, 1, H, W, D)}`. If processes share a batch, "share"
        is as in `calib_monai.slices.SliceLoader`.
    """

    def __init__(
        self,
        volumes: Dataset,
        batch_size: int,
        seed: int = 0,
        *,
        augment: bool = False,
        process: int = 0,
        num_processes: int = 1,
    ) -> None:
        check_whole("batch_size", batch_size, 1)
        if len(volumes) == 0:
            raise ValueError("there is no volume to take patches from")
        patches = patches_of(volumes.transform)
        if patches is None:
            raise ValueError("the transforms of the training do not end with RandomPatchesd")
        self.batch_size = batch_size
        self.seed = seed
        self.process = process
        self.num_processes = num_processes
        self.epoch = 0
        # MONAI takes transforms inside one that may be random for random, and would cache nothing of them.
        changes = [patches.augmentation] if augment and patches.augmentation is not None else []
        self.settings = {
            "augment": augment,
            "augmentation": described_changes(changes),
            "patches_per_volume": patches.patches_per_volume,
            "ratios": patches.ratios,
        }
        transform = Compose([*flattened(volumes.transform)[:-1], *patches.transforms, *changes])
        self.cached = CacheDataset(volumes.data, transform, progress=not bar_is_hidden(), copy_cache=False)
        self.count = len(self.cached) * patches.patches_per_volume

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return math.ceil(self.count / self.batch_size)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The batches of the next epoch.

        Raises:
            Exception: what a transform raises.
        """
        self.epoch += 1
        buffer = ThreadBuffer(self._drawn(self.epoch), BUFFERED)
        for drawn in buffer:
            if isinstance(drawn, Exception):  # MONAI's thread would end, and the epoch with it
                raise drawn
            yield drawn

    def state_dict(self) -> dict[str, int]:
        """The state that a checkpoint keeps; the patches of the next epoch follow from it."""
        return {"epoch": self.epoch}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue after the epoch of a checkpoint."""
        self.epoch = int(state["epoch"])

    def _drawn(self, epoch: int) -> Iterator[dict[str, Any] | Exception]:
        """The batches of an epoch; an error takes the place of the batch that it stops."""
        seeds = np.random.SeedSequence([self.seed, epoch]).generate_state(1 + self.num_processes)
        order = np.random.default_rng(seeds[0]).permutation(self.count) % len(self.cached)
        batches = [order[first : first + self.batch_size] for first in range(0, self.count, self.batch_size)]
        own = [batch[self.process :: self.num_processes] for batch in batches]
        indices = [part if len(part) else batch[:1] for part, batch in zip(own, batches, strict=True)]
        try:
            # MONAI would seed torch's global generator anew, if it had none of its own.
            loader = DataLoader(self.cached, batch_sampler=indices, generator=torch.Generator())
            self.cached.transform.set_random_state(seed=int(seeds[1 + self.process]))
            for batch, part, whole in zip(loader, own, batches, strict=True):
                share = {"share": len(part) * self.num_processes / len(whole)} if self.num_processes > 1 else {}
                yield {**batch, **share}
        except Exception as error:  # noqa: BLE001 - every transform has errors of its own
            yield error


def patches_of(transform: Any) -> RandomPatchesd | None:
    """The `RandomPatchesd` at the end of transforms, None if there is none."""
    last = flattened(transform)[-1:]
    return last[0] if last and isinstance(last[0], RandomPatchesd) else None


def check_options_of_patches(
    *, augment: bool | None = None, empty_slices: bool = True, extra_keys: Sequence[str] = (), random_views: Any = None
) -> None:
    """Raise ValueError if an option of `calib_monai.engines.SliceTrainer` is set that changes nothing for patches."""
    if not empty_slices:
        raise ValueError(
            "empty_slices is False: patches have no slices to leave out; training_box#ratios says how often their "
            "centers are background"
        )
    if extra_keys:
        raise ValueError(f"extra_keys are {list(extra_keys)}: patches are of image and label alone, leave it out")
    if augment and random_views is not None and vars(random_views) != vars(type(random_views)()):
        raise ValueError("random_views has options: with augment patches are changed by `augmentation`, change that")


class _Heldd(MapTransform):
    """What is cached of a prepared volume: plain tensors in the smallest type that is exact enough."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The keys and the case, without MONAI's metadata."""
        volumes = {str(key): torch.as_tensor(data[key]).as_subclass(Tensor) for key in self.keys}
        slices = {key: volume.movedim(-1, 0) for key, volume in volumes.items()}
        check_prepared(slices, str(data.get("case")))
        check_together({str(key): value for key, value in data.items()})
        held: dict[Hashable, Any] = {}
        for key, volume in volumes.items():
            half = key != LABEL and fits_float16(slices[key])
            held[key] = volume.to(torch.uint8 if key == LABEL else torch.float16 if half else torch.float32)
        return held


class _Centersd(MapTransform):
    """Lets a volume without any class that is drawn have centers, too: MONAI's crop would divide by 0."""

    def __init__(self, keys: KeysCollection, ratios: Sequence[float]) -> None:
        super().__init__(keys)
        self.drawn = [k for k, ratio in enumerate(ratios) if ratio > 0]

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The places of each class; if none is drawn of the classes that are there, places in the whole volume."""
        changed = dict(data)
        for key in self.keys:
            if not any(len(data[key][k]) for k in self.drawn):
                places = torch.linspace(
                    0, data[LABEL].numel() - 1, min(PLACES, data[LABEL].numel()), dtype=torch.float64
                )
                changed[key] = [
                    places.long() if k == self.drawn[0] else of_class for k, of_class in enumerate(data[key])
                ]
        return changed


class _Ownd(MapTransform):
    """Gives a patch memory of its own: MONAI's crop gives a view of the cached volume."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The keys in memory of their own, images as float32."""
        parts = {key: torch.as_tensor(data[key]).as_subclass(Tensor) for key in self.keys}
        return {key: part.clone() if key == LABEL else part.to(torch.float32, copy=True) for key, part in parts.items()}
