"""Label and image of a scored case: checked, and on one grid."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform, NormalizeIntensityd
from torch import Tensor

from calib_monai.grids import distance_of_grids, half_a_voxel
from calib_monai.label_values import values_in_words
from calib_monai.metrics.inputs import plain
from calib_monai.scoring.probs import Reading
from calib_monai.scoring.values import finite_range


class LabelAndImaged(MapTransform):
    """Checks a label and makes bytes of it; a case without an image gets an empty one.

    Args:
        num_cases: that are read, once each.
        num_classes: the background included.
        ignore_index: label of voxels that do not count, or None.
        reading: how files are read.
    """

    def __init__(self, num_cases: int, num_classes: int, ignore_index: int | None, reading: Reading) -> None:
        super().__init__("label")
        self.num_cases = num_cases
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.reading = reading
        self.empty: list[str] = []  # labels without a structure
        self.normalize = NormalizeIntensityd("image", channel_wise=True)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The case with its "label" and its "image" on one grid.

        Raises:
            ValueError: labels outside of the classes, an image of another size or with NaN, or the last of cases that
                are all without a structure.
        """
        told = dict(data)
        label = told["label"]
        self._check_label(plain(label), label.meta["filename_or_obj"])
        told["label"] = MetaTensor(plain(label).to(torch.uint8), affine=label.affine)
        if "image" not in told:
            return told | {"image": torch.zeros_like(told["label"])}
        self._check_image(told["image"], label)
        return self.normalize(told)

    def _check_label(self, label: Tensor, name: str) -> None:
        """Raise ValueError if a label (1, X, Y, Z) has other values, or is the last of all without a structure."""
        values = {one for plane in label[0] for one in np.unique(plane.numpy())}
        wrong = sorted(one for one in values if one not in range(self.num_classes) and one != self.ignore_index)
        if wrong:
            shown = values_in_words(wrong)
            one_more = wrong == [self.num_classes] and not self.reading.foreground
            hint = "--foreground if no channel is of the background, or " if one_more else ""
            ignoring = len(wrong) == 1 and self.ignore_index is None and wrong[0] in range(self.num_classes, 256)
            hint = (
                f" (give {hint}--ignore_label {shown} if such voxels do not count; if the probabilities are of a union "
                "with another class, unite the labels, too)"
                if ignoring
                else ""
            )
            raise ValueError(
                f"{name} holds the label value(s) {shown}; with {self.num_classes} classes they must be whole numbers "
                f"0..{self.num_classes - 1}{hint}"
            )
        if not any(0 < one < self.num_classes for one in values):
            self.empty.append(name)
        if len(self.empty) == self.num_cases:
            raise ValueError(f"no label shows a structure, first {self.empty[0]}; one must, or nothing can be measured")

    def _check_image(self, image: MetaTensor, label: MetaTensor) -> None:
        """Raise ValueError if an image (C, X, Y, Z) has another size or place than its label, or NaN or infinity."""
        file, name = (one.meta["filename_or_obj"] for one in (image, label))
        if image.shape[1:] != label.shape[1:]:
            size, of_label = (tuple(one.shape[1:]) for one in (image, label))
            raise ValueError(f"{file} is {size} voxels and {name} is {of_label}; they must be equal")
        if self.reading.same_grid and not distance_of_grids(image, label) <= half_a_voxel(label):
            raise ValueError(
                f"{file} lies elsewhere than {name}: their headers must place each voxel within half a voxel"
            )
        finite_range(file, plain(image))
