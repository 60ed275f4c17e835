"""MONAI's UNet with kernels of their own in each level, for volumes whose slices are thick."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.networks.nets import UNet
from torch import nn

from calib_monai.networks.levels import Levels


class LevelUNet(UNet):
    """MONAI's `UNet` for volumes, with the strides and kernels of `calib_monai.networks.levels.levels_of`.

    The deepest level is that of the last strides, with twice its channels, as in MONAI's class.

    Args:
        in_channels: C, channels of the image (B, C, H, W, D).
        out_channels: K, number of classes; the logits are (B, K, H, W, D).
        channels: of the levels and of the deepest layer, one more than levels.
        levels: the levels.
        options: further arguments of MONAI's class, but for the kernels.
    """

    def __init__(
        self, in_channels: int, out_channels: int, channels: Sequence[int], levels: Levels, **options: Any
    ) -> None:
        strides = [_Stride(stride, kernel) for kernel, stride in zip(levels.kernels, levels.strides, strict=True)]
        self.deepest = levels.kernels[-1]
        super().__init__(3, in_channels, out_channels, channels, strides, **options)  # type: ignore[arg-type] # MONAI takes a stride for each axis

    def _get_down_layer(self, in_channels: int, out_channels: int, strides: Any, is_top: bool) -> nn.Module:  # noqa: FBT001 - MONAI's
        """The way down of a level, with its kernel."""
        self.kernel_size = getattr(strides, "kernel", self.deepest)  # the deepest layer has the stride 1
        return super()._get_down_layer(in_channels, out_channels, strides, is_top)

    def _get_up_layer(self, in_channels: int, out_channels: int, strides: Any, is_top: bool) -> nn.Module:  # noqa: FBT001 - MONAI's
        """The way up of a level, with its kernel."""
        self.kernel_size = self.up_kernel_size = strides.kernel
        return super()._get_up_layer(in_channels, out_channels, strides, is_top)


class _Stride(list[int]):
    """The stride of a level, which knows the level's kernel: MONAI hands it on to the layers of the level."""

    def __init__(self, stride: Sequence[int], kernel: Sequence[int]) -> None:
        super().__init__(stride)
        self.kernel = kernel
