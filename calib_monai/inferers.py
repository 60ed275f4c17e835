"""Inferers: predict a whole scan, also outside the slice size of the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from monai.inferers import SliceInferer
from torch import Tensor


class WholeSliceInferer(SliceInferer):
    """MONAI's SliceInferer, for networks that were trained on the center of larger slices.

    The center of a slice is predicted at once, as in training. The rest is predicted in overlapping windows, with
    MONAI's Gaussian weights. (Windows everywhere would show the network its structures at unusual places: after a short
    training on ACDC, in slices that hold less than half the image, Dice was .17 instead of .67.)

    Args:
        roi_size: H and W of the network's input, in voxels.
        sw_batch_size: number of windows in a batch.
        spatial_dim: the axis along which slices lie, among H, W, D.
    """

    def __init__(self, roi_size: Sequence[int], sw_batch_size: int, spatial_dim: int = 2) -> None:
        super().__init__(spatial_dim, roi_size=roi_size, sw_batch_size=sw_batch_size)
        self.around = SliceInferer(spatial_dim, roi_size=roi_size, sw_batch_size=sw_batch_size, mode="gaussian")

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The network's output for the whole images, (B, C, H, W, D).

        Args:
            inputs: (B, Cin, H, W, D).
            network: takes slices (N, Cin, *roi_size) and gives (N, C, *roi_size).
            args: of the network.
            kwargs: of the network.
        """
        roi = list(self.orig_roi_size)
        roi.insert(self.spatial_dim, inputs.shape[2 + self.spatial_dim])
        sizes = [min(size, whole) for size, whole in zip(roi, inputs.shape[2:], strict=True)]
        starts = [whole // 2 - size // 2 for size, whole in zip(sizes, inputs.shape[2:], strict=True)]
        center: Any = (..., *(slice(start, start + size) for start, size in zip(starts, sizes, strict=True)))
        predicted = super().__call__(inputs[center], network, *args, **kwargs)
        if sizes == list(inputs.shape[2:]):
            return predicted
        whole_slices: Any = self.around(inputs, network, *args, **kwargs)
        whole_slices[center] = predicted
        return whole_slices
