"""Resampling and inverses of transforms for whole scans, with little memory."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import Invertd, InvertibleTransform, MapTransform, Spacingd, SpatialResample
from monai.utils import convert_to_tensor, ensure_tuple

from calib_monai.case_keys import IMAGE_AND_LABEL, LABEL
from calib_monai.slabs import Resample, beside_values, by_slabs, inverse_by_slabs

NEAREST = ("nearest", "0")  # MONAI's names of taking the nearest voxel: of a grid, and as the order of a spline


class InvertProbsd(MapTransform):
    """MONAI's Invertd for probabilities, class by class: beside what came and the result, one class is in memory.

    Each class is resampled on the device where it lies. The result is on the CPU, where the labels are.

    Voxels that were cropped off become background with probability 1. The inverse of a crop writes 0 for all classes
    there, so the background gets what is missing from a sum of one.

    Args:
        keys: probabilities, (C, H, W[, D]), class 0 the background.
        transform: to invert.
        orig_keys: the key that it was applied to.
    """

    def __init__(self, keys: KeysCollection, transform: InvertibleTransform, orig_keys: str) -> None:
        super().__init__(keys)
        self.orig_key = orig_keys
        self.invert = Invertd("one", transform, orig_keys, nearest_interp=False, to_tensor=True, device="cpu")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with the probabilities on the grid from which the transform came, on the CPU."""
        inverted = dict(data)
        for key in self.key_iterator(inverted):
            probs = convert_to_tensor(inverted[key], track_meta=True)
            inverted[key] = self._inverted(probs, inverted[self.orig_key])
        return inverted

    def _inverted(self, probs: MetaTensor, original: Any) -> MetaTensor:
        whole, besides = torch.empty(0), {}
        for index in range(len(probs)):
            one: MetaTensor = self.invert({"one": probs[index : index + 1], self.orig_key: original})["one"]
            if index == 0:
                whole, besides = one.as_tensor().new_empty((len(probs), *one.shape[1:])), beside_values(one)
            whole[index] = one.as_tensor()[0]
            del one  # before the next one is made
        whole[0] += whole.sum(dim=0).neg_().add_(1).clamp_(min=0)
        return MetaTensor(whole, **besides)


class SlabSpacingd(Spacingd):
    """MONAI's Spacingd, which resamples slab by slab along the last axis, there and back.

    MONAI's class holds a scan twice as float64, 4.4 GB for a CT of 512 x 512 x 1059. Its inverse holds the place of
    every voxel, three float64 each. It also takes eight times as long, because it looks up eight neighbors of each
    voxel. Here one axis is resampled after the other, unless the affine shears them.

    Args:
        keys: as in MONAI's class; by default the image, and the label if there is one.
        args: further arguments of MONAI's class.
        mode: as in MONAI's class: a single one for all keys but "label", or one for each key. "label" always takes the
            nearest voxel, because between two classes there is none.
        kwargs: keyword arguments of MONAI's class.

    Raises:
        ValueError: another mode for "label".
    """

    def __init__(
        self,
        keys: KeysCollection = IMAGE_AND_LABEL,
        *args: Any,
        mode: Sequence[str | int] | str | int | None = None,
        **kwargs: Any,
    ) -> None:
        named = ensure_tuple(keys)
        kwargs["mode"] = _modes(named, mode)
        kwargs.setdefault("allow_missing_keys", named == IMAGE_AND_LABEL)
        super().__init__(keys, *args, **kwargs)
        given = self.spacing_transform.sp_resample
        self.spacing_transform.sp_resample = SlabResample(
            given.mode, given.padding_mode, given.align_corners, given.dtype, given.lazy
        )

    def __call__(self, data: Mapping[Hashable, Any], lazy: bool | None = None) -> dict[Hashable, Any]:  # noqa: FBT001 - MONAI's
        """The data with other voxel sizes.

        MONAI's class sees its keys alone. It would take all that is called KEY_... for meta data, such as the
        "image_path" of MONAI Label, which is a text.

        Args:
            data: images, (C, H, W, D), by key.
            lazy: as in MONAI's.
        """
        given = dict(data)
        return given | super().__call__({key: given[key] for key in self.key_iterator(given)}, lazy)

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data on their original grid."""
        inverted = dict(data)
        for key in self.key_iterator(inverted):
            inverted[key] = inverse_by_slabs(self.spacing_transform.sp_resample, inverted[key])
        return inverted


def _modes(keys: Sequence[Hashable], mode: Sequence[str | int] | str | int | None) -> Any:
    """The mode of each key; raise ValueError if that of the label mixes classes."""
    others = [key for key in keys if key != LABEL]
    if mode is None or (others and (isinstance(mode, str | int) or len(mode) == 1)):
        [of_others] = ensure_tuple("bilinear" if mode is None else mode)
        return [NEAREST[0] if key == LABEL else of_others for key in keys]
    modes = ensure_tuple(mode)
    for key, one in zip(keys, modes, strict=False):  # MONAI counts them
        if key == LABEL and str(one) not in NEAREST:
            raise ValueError(f'mode of "{LABEL}" is {one}; it must be {NEAREST[0]}, because classes have no mean')
    return modes


class SlabResample(SpatialResample):
    """MONAI's SpatialResample, which resamples a large image slab by slab; results differ only by rounding."""

    def __call__(  # type: ignore[override]  # MONAI's own differs from its base's in the same way
        self, img: Any, dst_affine: Any = None, spatial_size: Any = None, **options: Any
    ) -> Any:
        """The image on another grid.

        Args:
            img: (C, H, W[, D]).
            dst_affine: of the other grid.
            spatial_size: of the other grid.
            options: as in MONAI's.
        """
        whole = cast(Resample, partial(super().__call__, **options))
        sizes = () if spatial_size is None else tuple(int(size) for size in spatial_size)
        if not isinstance(img, MetaTensor) or len(sizes) != img.ndim - 1 or options.get("lazy", self.lazy):
            return whole(img, dst_affine, spatial_size)
        return by_slabs(whole, img, dst_affine, sizes)
