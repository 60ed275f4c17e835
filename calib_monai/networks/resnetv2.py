"""The convolutional encoder of R50-ViT: a ResNet-50 with standardized kernels and group normalization."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 64  # channels of the root
UNITS = (3, 4, 9)  # of the three blocks
GROUPS = 32
EXPANSION = 4  # channels out of a unit over those inside it


def standardized(kernel: Tensor) -> Tensor:
    """Kernels (O, I, h, w) with mean 0 and variance 1 for each output channel (arXiv:1903.10520).

    Where the published weights were trained, 1e-5 was added to the standard deviation; 1e-10 is its square.
    """
    return functional.layer_norm(kernel, kernel.shape[1:], eps=1e-10)


class StandardizedConv2d(nn.Conv2d):
    """A convolution without bias whose kernels are standardized, its output 1 / `stride` of the input's size.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the kernel, an odd number.
        stride: 1 or 2; sides of the input must be its multiples.

    Note:
        With stride 2 one more row is padded below than above, and one more column on the right than on the left. The
        published weights were trained in this way: the kernel's center then agrees with the pixels of the strided 1 x 1
        projection beside it. TransUNet's authors pad all sides equally.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> None:
        near = max(kernel_size - stride, 0) // 2
        super().__init__(in_channels, out_channels, kernel_size, stride, padding=near, bias=False)
        self.far = max(kernel_size - stride, 0) - 2 * near

    def forward(self, image: Tensor) -> Tensor:
        """Features (B, O, H / stride, W / stride) of an image (B, I, H, W)."""
        if self.far:
            image = functional.pad(image, [0, self.far, 0, self.far])
        return functional.conv2d(image, standardized(self.weight), None, self.stride, self.padding)


class ResidualUnit(nn.Module):
    """Three convolutions (1 x 1, 3 x 3, 1 x 1) beside a shortcut, each followed by its normalization.

    Its parts have the names of the published file.

    Args:
        in_channels: channels of the input.
        width: channels inside; the output has four times as many.
        stride: of the 3 x 3 convolution and of the shortcut.

    Note:
        The shortcut is also normalized in 32 groups, as in the training of the published weights. TransUNet's authors
        use a group for each channel.
    """

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        out_channels = EXPANSION * width
        self.conv1 = StandardizedConv2d(in_channels, width, 1)
        self.gn1 = _normalization(width)
        self.conv2 = StandardizedConv2d(width, width, 3, stride)
        self.gn2 = _normalization(width)
        self.conv3 = StandardizedConv2d(width, out_channels, 1)
        self.gn3 = _normalization(out_channels)
        self.conv_proj: nn.Module = nn.Identity()
        self.gn_proj: nn.Module = nn.Identity()
        if in_channels != out_channels or stride != 1:
            self.conv_proj = StandardizedConv2d(in_channels, out_channels, 1, stride)
            self.gn_proj = _normalization(out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, 4 width, H / stride, W / stride) of features (B, C, H, W)."""
        shortcut: Tensor = self.gn_proj(self.conv_proj(features))
        inside = functional.relu(self.gn1(self.conv1(features)))
        inside = functional.relu(self.gn2(self.conv2(inside)))
        return functional.relu(shortcut + self.gn3(self.conv3(inside)))


class ResNetV2(nn.Module):
    """ResNet-50 to its third block, as the hybrid ViT trains it (Dosovitskiy et al. 2021, arXiv:2010.11929).

    It is published under the name v2, but its normalizations follow the convolutions.

    Args:
        in_channels: channels of the image.

    Attributes:
        root_gain: (1, 64, 1, 1), a factor for the output of the first convolution. It is 1, unless ImageNet's weights
            for 3 channels were adapted to another number of channels (`calib_monai.networks.imagenet21k`). It is stored
            with the weights and not trained.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv_root = StandardizedConv2d(in_channels, WIDTH, 7, stride=2)
        self.root_gain = nn.Buffer(torch.ones(1, WIDTH, 1, 1))
        self.gn_root = _normalization(WIDTH)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)  # the far edge alone is padded, as above
        self.block1 = _block(UNITS[0], WIDTH, WIDTH, stride=1)
        self.block2 = _block(UNITS[1], 4 * WIDTH, 2 * WIDTH, stride=2)
        self.block3 = _block(UNITS[2], 8 * WIDTH, 4 * WIDTH, stride=2)

    def forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Features (B, 1024, H/16, W/16) of an image (B, C, H, W), sides in multiples of 16, and the skips.

        Returns:
            The features, and those before them, the coarsest first: (B, 512, H/8, W/8),
            (B, 256, H/4, W/4) and (B, 64, H/2, W/2).
        """
        root = functional.relu(self.gn_root(self.conv_root(image) * self.root_gain))
        first = self.block1(self.pool(root))
        second = self.block2(first)
        return self.block3(second), [second, first, root]


def _normalization(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(GROUPS, channels, eps=1e-6)


def _block(units: int, in_channels: int, width: int, stride: int) -> nn.Sequential:
    """The units of a block by the names of the published file, `unit1` and on; the first has the stride."""
    block = nn.Sequential()
    for number in range(1, units + 1):
        first = number == 1
        unit = ResidualUnit(in_channels if first else EXPANSION * width, width, stride if first else 1)
        block.add_module(f"unit{number}", unit)
    return block
