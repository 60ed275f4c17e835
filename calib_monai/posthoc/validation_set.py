"""The validation set for fitting: iterated item by item, any number of times, with each item checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from calib_monai.losses.targets import class_labels, ignored_voxels
from calib_monai.regions import Region, region_of
from calib_monai.tensor_checks import are_probabilities

Data = Iterable[Sequence[Tensor]]

PIECE = 2**22  # voxels that a pass computes with at once: what it makes of them takes several times their memory


class Item(NamedTuple):
    """One or more images or volumes.

    Attributes:
        logits: (B, C, H, W[, D]), float32 or float64.
        labels: class indices, (B, 1, H, W[, D]), int64; 0 in ignored voxels.
        mask: the fitted voxels, (B, 1, H, W[, D]), bool.
        image: (B, Cin, H, W[, D]), or None if the item has none.
        ignored: the ignored voxels, which are in no region, (B, 1, H, W[, D]), bool, or None if no label is ignored.
    """

    logits: Tensor
    labels: Tensor
    mask: Tensor
    image: Tensor | None
    ignored: Tensor | None = None

    def voxels(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Logits (C, N) and labels (N,) of the fitted voxels of each image, in pieces of at most `PIECE` voxels."""
        for logits, labels, mask in zip(self.logits, self.labels, self.mask, strict=True):
            pieces = (logits.flatten(1).split(PIECE, dim=1), labels.flatten().split(PIECE), mask.flatten().split(PIECE))
            for values, classes, counted in zip(*pieces, strict=True):
                place = counted.nonzero().squeeze(1)
                yield values.index_select(1, place), classes.index_select(0, place)


class ValidationSet:
    """The items of a validation set, checked in each iteration.

    One item is held at a time, and its mask is made in each iteration. To keep masks would save a tenth of the time of
    a fit to plausible voxels and nothing of a fit to all, and data in another order would get the masks of other items.

    Args:
        data: an iterable of (logits, target) or (logits, target, image), such as a list or a data loader. Logits are
            (B, C, H, W[, D]) of any float dtype, targets class indices (B, 1, H, W[, D]) of any dtype, images
            (B, Cin, H, W[, D]).
        region: the fitted voxels: one of `calib_monai.regions`, or its name. A region that depends on probabilities
            uses those before calibration.
        device: the device to which items are moved.
        ignore_index: a label whose voxels are in no region.

    Raises:
        ValueError: data that can be gone through only once.
    """

    def __init__(self, data: Data, region: str | Region, device: torch.device, ignore_index: int | None = None) -> None:
        if isinstance(data, Iterator):
            kind = type(data).__name__
            raise ValueError(  # noqa: TRY004 - as all refusals
                f"data is a {kind}, which gives its items once; fitting goes through them several times (give a list, "
                "a data loader, or an object whose __iter__ starts anew)"
            )
        self.data = data
        self.region = region_of(region)
        self.device = device
        self.ignore_index = ignore_index
        self.voxels = 0  # not known before the first iteration

    def __iter__(self) -> Iterator[Item]:
        """The items.

        Raises:
            ValueError: an item of another form, what `class_labels` refuses, logits or an image that are not
                finite, logits that are probabilities, an unknown region, no voxel in it, or another number of voxels
                than in the first iteration.
        """
        voxels = 0
        for place, parts in enumerate(self.data):
            try:
                item = _checked(parts, self.region, self.device, self.ignore_index)
                if not self.voxels:  # the first iteration; a fit goes through the items many times
                    _check_no_probabilities(item.logits)
            except ValueError as error:
                raise ValueError(f"item {place} of data: {error}") from error
            voxels += int(item.mask.sum())
            yield item
        if self.voxels not in (0, voxels):
            raise ValueError(f"data gave {self.voxels} voxels at first and {voxels} later; it must give the same ones")
        if not voxels:
            raise ValueError(f"data holds 0 voxels of the region {self.region.name!r}; there must be some to fit to")
        self.voxels = voxels


def _checked(parts: Sequence[Tensor], region: Region, device: torch.device, ignore_index: int | None) -> Item:
    """Move an item to a device; raise ValueError if it cannot be fitted to."""
    if not isinstance(parts, tuple | list) or len(parts) not in (2, 3):
        kind = f"{len(parts)} parts" if isinstance(parts, tuple | list) else type(parts).__name__
        raise ValueError(f"it is {kind}; it must be (logits, target) or (logits, target, image)")
    logits, target, *images = parts
    labels = class_labels(logits, target, ignore_index).to(device)
    ignored = None if ignore_index is None else ignored_voxels(labels)
    labels = (labels if ignored is None else labels.masked_fill(ignored, 0)).long()
    logits = _finite("logits", logits.to(device))
    image = _finite("image", images[0].to(device)) if images else None
    if image is not None and (len(image), *image.shape[2:]) != (len(logits), *logits.shape[2:]):
        raise ValueError(
            f"logits are {tuple(logits.shape)} and image is {tuple(image.shape)}; only their channels may differ"
        )
    probs = logits.softmax(dim=1) if region.of_network else logits  # of others the label decides
    item = Item(logits, labels, region.mask(labels, probs, ignored), image, ignored)
    made = {name: part for name, part in item._asdict().items() if part is not None and part.is_inference()}
    return item._replace(**{name: part.clone() for name, part in made.items()})  # autograd would keep none of these


def _check_no_probabilities(logits: Tensor) -> None:
    """Raise ValueError if logits are probabilities, to which a temperature would be fitted without an error."""
    if are_probabilities(logits):
        raise ValueError("the logits are probabilities: from 0 to 1, with the sum 1; give log(probabilities)")


def _finite(name: str, values: Tensor) -> Tensor:
    """The values in float32, or float64 if they are; raise ValueError if one is NaN or infinite."""
    plain = values.detach().as_subclass(Tensor)
    wide = plain if plain.dtype == torch.float64 else plain.float()
    low, high = wide.aminmax()
    if not torch.isfinite(low + high):
        raise ValueError(f"{name} hold values from {low.item():g} to {high.item():g}; all must be finite")
    return wide
