"""Transforms of MONAI's kind that MONAI lacks."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from importlib import import_module
from typing import Any

import itk
import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from monai.utils import ensure_tuple
from torch import Tensor
from torch.nn.functional import interpolate

from calib_monai.boundaries import boundary_weight, check_boundary_weight
from calib_monai.case_keys import LABEL
from calib_monai.fills import filled
from calib_monai.grids import SPATIAL_DIMS
from calib_monai.labels import most_probable


class Confidenced(MapTransform):
    """Adds the probability of the predicted label, "pred", (1, H, W[, D]), class indices.

    Args:
        keys: probabilities, (C, H, W[, D]).
        names: keys of the confidences, one for each of `keys`; they get (1, H, W[, D]).
    """

    def __init__(self, keys: KeysCollection = "prob", names: KeysCollection = "confidence") -> None:
        super().__init__(keys)
        self.names = ensure_tuple(names)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with the confidences."""
        told = dict(data)
        for key, name in self.key_iterator(told, self.names):
            label = torch.as_tensor(told["pred"]).as_subclass(Tensor)
            confidence = told[key][:1].clone()
            for index in range(1, len(told[key])):  # one by one: to gather takes indices of 64 bits
                torch.where(label == index, told[key][index : index + 1], confidence, out=confidence)
            told[name] = confidence
        return told


class Entropyd(MapTransform):
    """Adds the entropy of probabilities divided by its largest value, log C: 0 if one class is certain, at most 1.

    Args:
        keys: probabilities, (C, H, W[, D]).
        names: keys of the entropies, one for each of `keys`; they get (1, H, W[, D]).
    """

    def __init__(self, keys: KeysCollection = "prob", names: KeysCollection = "entropy") -> None:
        super().__init__(keys)
        self.names = ensure_tuple(names)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with the entropies."""
        told = dict(data)
        for key, name in self.key_iterator(told, self.names):
            entropy = torch.zeros_like(told[key][:1])
            for probs in told[key]:  # one by one: all at once would take their memory once more
                entropy[0] += torch.special.entr(probs)
            told[name] = entropy.div_(math.log(len(told[key])))
        return told


class LeaveOutd(MapTransform):
    """Sets voxels with an ignored label to background in prediction and label, so that measures of shapes ignore them.

    The original label is kept as "target", by which measures of probabilities leave the voxels out.

    Args:
        keys: predictions, (1, H, W[, D]), class indices.
        ignore_index: label of the voxels, or None, which changes nothing.
    """

    def __init__(self, keys: KeysCollection = "pred", ignore_index: int | None = None) -> None:
        super().__init__(keys)
        self.ignore_index = ignore_index

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data without these voxels; the given tensors are not changed."""
        left = dict(data) | {"target": data[LABEL]}
        if self.ignore_index is None:
            return left
        ignored = left[LABEL] == self.ignore_index
        left[LABEL] = left[LABEL].masked_fill(ignored, 0)
        for key in self.key_iterator(left):
            left[key] = left[key].masked_fill(ignored.to(left[key].device), 0)
        return left


class MostProbabled(MapTransform):
    """Replaces probabilities by the most probable class, the first of equal ones, class by class.

    The values of its `keys` are probabilities, (C, H, W[, D]); they become labels (1, H, W[, D]), uint8. MONAI's
    AsDiscreted gives the same, but takes seven times as long for a volume, and eight bytes a voxel.
    """

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with the labels; the tensors are not changed."""
        labeled = dict(data)
        for key in self.key_iterator(labeled):
            probs = torch.as_tensor(labeled[key])
            label = torch.zeros_like(probs[:1], dtype=torch.uint8)  # with what MONAI knows of the image
            label[0] = most_probable(probs.as_subclass(Tensor))[0]
            labeled[key] = label
        return labeled


class BoundaryWeightd(MapTransform):
    """Adds the weight of each voxel's consistency in BWCR, which is higher near a boundary in its slice.

    Slices lie along the last axis. The weights are computed here once, and cached with their labels.

    Args:
        keys: labels, (1, H, W[, D]), class indices.
        names: keys of the weights, one for each of `keys`; they get (1, H, W[, D]), float32.
        width: as in `calib_monai.boundaries.boundary_weight`, in pixels of the label as it comes here.
        weight_max: as in `boundary_weight`.
        weight_min: as in `boundary_weight`.
        loss: a loss whose `width`, `weight_max` and `weight_min` are taken, such as `BWCRLoss`.
        ignore_index: the label of ignored voxels. Each counts as the nearest other label in its slice, so that the edge
            of ignored voxels is not a boundary.

    Raises:
        ValueError: an argument that `boundary_weight` refuses.
    """

    def __init__(
        self,
        keys: KeysCollection = "label",
        names: KeysCollection = "weight",
        width: int = 10,
        weight_max: float = 1.0,
        weight_min: float = 0.01,
        ignore_index: int | None = None,
        loss: Any = None,
    ) -> None:
        super().__init__(keys)
        if loss is not None:
            width, weight_max, weight_min = loss.width, loss.weight_max, loss.weight_min
        check_boundary_weight(width, weight_max, weight_min)
        self.names = ensure_tuple(names)
        self.width = width
        self.weight_max = weight_max
        self.weight_min = weight_min
        self.ignore_index = ignore_index

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with the weights."""
        weighted = dict(data)
        for key, name in self.key_iterator(weighted, self.names):
            label = torch.as_tensor(weighted[key]).as_subclass(Tensor).to(torch.uint8)
            is_volume = label.ndim == 1 + SPATIAL_DIMS
            slices = label.movedim(-1, 0) if is_volume else label.unsqueeze(0)
            if self.ignore_index is not None:
                slices = filled(slices, slices == self.ignore_index)
            weight = boundary_weight(slices.contiguous(), self.width, self.weight_max, self.weight_min)
            weighted[name] = weight.movedim(0, -1) if is_volume else weight.squeeze(0)
        return weighted


class CorrectBiasd(MapTransform):
    """Divides an image by its bias field: N4 (Tustison et al. 2010, doi:10.1109/TMI.2010.2046908) by ITK.

    The field is smooth. It is estimated on a shrunk image, in voxels above the mean, and resampled to the whole image.
    On 320 x 320 x 20 voxels, shrunk by 8, this takes 7 s. It removes an artificial field about as well as shrinking by
    4, which takes 23 s.

    Args:
        keys: images, (C, H, W, D); each channel has a field of its own.
        shrink: factor along H and W.
        iterations: largest number of iterations on each level; each level has twice the control points of the level
            before.
    """

    takes_long = True  # some seconds for each image: an inference does not try it before

    def __init__(
        self, keys: KeysCollection = "image", shrink: int = 8, iterations: Sequence[int] = (50, 50, 50)
    ) -> None:
        super().__init__(keys)
        self.shrink = shrink
        self.iterations = list(iterations)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The data with the images corrected."""
        corrected = dict(data)
        for key in self.key_iterator(corrected):
            image = torch.as_tensor(corrected[key]).as_subclass(Tensor)
            corrected[key] = corrected[key] / torch.stack([self._field(channel) for channel in image])
        return corrected

    def _field(self, image: Tensor) -> Tensor:
        """The bias field of a channel, (H, W, D)."""
        height, width, depth = image.shape
        size = [max(1, height // self.shrink), max(1, width // self.shrink), depth]
        small = interpolate(image.float()[None, None], size=size, mode="area")[0, 0].numpy()
        volume = itk.image_from_array(np.ascontiguousarray(small.T))
        mask = itk.image_from_array(np.ascontiguousarray((small > small.mean()).T.astype(np.uint8)))
        n4 = _n4().New(Input=volume, MaskImage=mask)
        n4.SetNumberOfFittingLevels(len(self.iterations))
        n4.SetMaximumNumberOfIterations(self.iterations)
        n4.Update()
        without = itk.array_from_image(n4.GetOutput()).T
        known = (without > 0) & (small > 0)
        logarithm = np.log(np.divide(small, without, where=known, out=np.ones_like(small)))
        field = interpolate(torch.tensor(logarithm)[None, None], size=image.shape, mode="trilinear")
        return field[0, 0].exp()


def _n4() -> Any:
    """ITK's filter from floats to floats.

    `itk.N4BiasFieldCorrectionImageFilter` would round to whole numbers, and load 500 modules in 9 s to find the filter.
    """
    return import_module("itk.itkN4BiasFieldCorrectionImageFilterPython").itkN4BiasFieldCorrectionImageFilterIF3IUC3IF3
