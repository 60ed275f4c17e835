"""Loading: turns the files of a case into its picture and its label."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from itertools import product
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import ensure_tuple
from numpy.typing import NDArray

from calib_monai.case_keys import IMAGE_AND_LABEL, LABEL
from calib_monai.held_images import is_held
from calib_monai.pictures.decoding import Picture, decoded, gray_values, picture_values
from calib_monai.pictures.masks import check_threshold, mask_values
from calib_monai.read_once import read_once

COLORS = 3


class LoadPicturesd(MapTransform):
    """Loads pictures and masks, upright as a viewer shows them, the first axis along the width as MONAI's readers do.

    A picture keeps its values, whatever number of bits they have. Gray is repeated where colors are wanted, and colors
    become gray where one channel is. Of several files each is one channel; several masks are united.

    Args:
        keys: files, a path or several each; "label" is of masks, others of pictures.
        in_channels: of a picture; others than 1 and 3 are files of their own.
        num_classes: of a label, background included; `calib_monai.pictures.mask_values` says what masks may hold.
        mask_threshold: gray value above which a mask shows the structure; -1 where masks hold two values.
        allow_missing_keys: whether keys that are not there are passed over.

    Raises:
        ValueError: a `mask_threshold` with more than two classes.

    Note:
        Pictures become (C, W, H), masks (1, W, H), float32, with an identity for their affine: nothing is known of the
        size of a pixel.
    """

    def __init__(
        self,
        keys: KeysCollection = IMAGE_AND_LABEL,
        in_channels: int = 1,
        num_classes: int = 2,
        mask_threshold: float = -1,
        allow_missing_keys: bool = False,  # noqa: FBT001, FBT002 - MONAI's
    ) -> None:
        check_threshold(num_classes, mask_threshold)
        super().__init__(keys, allow_missing_keys or keys == IMAGE_AND_LABEL)
        self.in_channels = in_channels
        self.num_classes = num_classes
        self.mask_threshold = mask_threshold

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with what their files hold.

        Raises:
            ValueError: with the file and the rule, where one is not such a picture or mask; or a picture in memory.
        """
        for key in self.key_iterator(dict(data)):
            if is_held(data[key]):
                raise ValueError(f"{key} is in memory, where nothing says which axis is its width: give its file")
        files = {key: [str(file) for file in ensure_tuple(data[key])] for key in self.key_iterator(dict(data))}
        settings = type(self).__name__, self.in_channels, self.num_classes, self.mask_threshold
        return {**data, **read_once(files, settings, lambda: self._read(files))}

    def _read(self, files: Mapping[Hashable, list[str]]) -> dict[Hashable, MetaTensor]:
        """The content of files, by key."""
        loaded, found = {}, {}
        for key, of_key in files.items():
            pictures = found[key] = {file: decoded(file) for file in of_key}
            load = self._label if key == LABEL else self._image
            values = torch.as_tensor(np.ascontiguousarray(load(pictures).transpose(2, 1, 0)))
            # As MONAI's reader of pictures and EnsureChannelFirst say it; its writers need it for files of two axes.
            told = {"filename_or_obj": of_key[0], "original_channel_dim": math.nan}
            loaded[key] = MetaTensor(values, meta=told, spatial_ndim=2)
        _check_turned(found)
        return loaded

    def _image(self, pictures: Mapping[str, Picture]) -> NDArray[np.float32]:
        """The channels (H, W, C) of the files of a picture."""
        found = [picture_values(file, picture) for file, picture in pictures.items()]
        if len(found) > 1 or self.in_channels == 1:
            return np.concatenate([gray_values(values) for values in found], axis=-1)
        return np.repeat(found[0], COLORS, axis=-1) if self.in_channels == COLORS > found[0].shape[-1] else found[0]

    def _label(self, masks: Mapping[str, Picture]) -> NDArray[np.float32]:
        """The label (H, W, 1) of the files of a mask."""
        found = [mask_values(file, mask, self.num_classes, self.mask_threshold) for file, mask in masks.items()]
        united: NDArray[np.float32] = np.stack(found, axis=-1).max(axis=-1, keepdims=True)
        return united


def _check_turned(found: Mapping[Hashable, Mapping[str, Picture]]) -> None:
    """Raise ValueError if a picture was turned, and it is not clear whether its mask was turned, too."""
    masks = found.get(LABEL, {})
    pictures = {file: one for key, of_key in found.items() if key != LABEL for file, one in of_key.items()}
    for (file, picture), (mask, other) in product(pictures.items(), masks.items()):
        height, width = picture.values.shape[:2]
        sizes_tell = picture.turned > 4 and other.turned == 1 and height != width  # noqa: PLR2004 - axes are exchanged
        if picture.turned != other.turned and not sizes_tell:
            raise ValueError(
                f"{file} is to be turned (EXIF orientation {picture.turned}) and its mask {mask} otherwise "
                f"(orientation {other.turned}), and nothing says whether they fit: save both upright"
            )
