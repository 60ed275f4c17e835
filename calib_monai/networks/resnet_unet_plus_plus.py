"""UNet++ over a ResNet-34: the network that the papers call UNet++."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.nets import ResNet
from monai.networks.nets.basic_unet import TwoConv
from torch import Tensor, nn
from torch.nn import functional

from calib_monai.networks.imagenet1k import load_imagenet1k
from calib_monai.networks.options import check_sizes

CHANNELS = (64, 64, 128, 256, 512)  # of the encoder, at 1/2, 1/4 ... 1/32 of the image's size
BLOCKS = (3, 4, 6, 3)  # of ResNet-34
MULTIPLE = 2 ** len(CHANNELS)  # of height and width


class ResNetEncoder(ResNet):
    """MONAI's ResNet as a ResNet-34 for 2D images, with the names of weights and the shortcuts of torchvision's.

    MONAI's own `ResNetFeatures("resnet34")` has other shortcuts, without weights, which ImageNet's do not fit.

    Args:
        in_channels: channels of the image.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__(
            "basic",
            list(BLOCKS),
            list(CHANNELS[1:]),
            spatial_dims=2,
            n_input_channels=in_channels,
            conv1_t_stride=2,
            feed_forward=False,
            bias_downsample=False,
        )

    def forward(self, image: Tensor) -> list[Tensor]:  # type: ignore[override]
        """Features of an image (B, C, H, W), each half as high and wide as the one before."""
        features = [self.act(self.bn1(self.conv1(image)))]
        features.append(self.layer1(self.maxpool(features[0])))
        features.append(self.layer2(features[1]))
        features.append(self.layer3(features[2]))
        features.append(self.layer4(features[3]))
        return features


class ResNetUNetPlusPlus(nn.Module):
    """UNet++ (Zhou et al. 2018, arXiv:1807.10165, Eq. 1) over a ResNet-34, without deep supervision.

    Images (B, C, H, W) become logits (B, K, H, W). Node (i, j), of level i and column j, sees the nodes (i, 0) to
    (i, j - 1), and node (i + 1, j - 1) at twice its size. Column 0 is the encoder.

    Args:
        in_channels: C, channels of the image.
        out_channels: K, number of classes.
        features: channels of the last node of each level, from the coarsest on, and of the full size. All other nodes
            have the channels of the encoder's level.
        dropout: share of what each convolution of the decoder drops.
        pretrained: path of torchvision's `resnet34-b627a593.pth` (download.pytorch.org/models), the encoder's weights
            of ImageNet. Without it all weights start at random.

    Raises:
        ValueError: an argument out of its range, or a file that does not fit.

    Note:
        From one channel to four classes it has 26,072,772 weights, as many as `UnetPlusPlus` of
        segmentation_models_pytorch has by its defaults, which the papers' code takes, and with the same weights it
        gives the same logits. That package needs timm and torchvision, in the one version that fits torch.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        features: Sequence[int] = (256, 128, 64, 32, 16),
        dropout: float = 0.0,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        check_sizes("features", features, len(CHANNELS))
        last = [*reversed(features[:-1]), CHANNELS[-1]]  # channels of the last node of each level
        depth = len(CHANNELS) - 1

        def channels(level: int, column: int) -> int:
            return last[level] if level + column == depth else CHANNELS[level]

        def node(inside: int, outside: int) -> nn.Module:
            return TwoConv(2, inside, outside, "relu", "batch", False, dropout)  # noqa: FBT003 - bias

        self.encoder = ResNetEncoder(in_channels)
        self.nodes, self.levels = nn.ModuleList(), []
        for column in range(1, depth + 1):
            for level in range(depth + 1 - column):
                inside = channels(level + 1, column - 1) + column * CHANNELS[level]
                self.nodes.append(node(inside, channels(level, column)))
                self.levels.append(level)
        self.full_size = node(features[-2], features[-1])
        self.head = nn.Conv2d(features[-1], out_channels, 3, padding=1)
        if pretrained is not None:
            load_imagenet1k(pretrained, self.encoder)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, K, H, W) of an image (B, C, H, W); H and W are multiples of 32."""
        of_levels = [[features] for features in self.encoder(image)]  # of each level its nodes, the latest first
        for place, node in enumerate(self.nodes):
            level = self.levels[place]
            seen = [_twice(of_levels[level + 1][0])] + of_levels[level]
            of_levels[level].insert(0, node(torch.cat(seen, dim=1)))
        logits: Tensor = self.head(self.full_size(_twice(of_levels[0][0])))
        return logits


def _twice(features: Tensor) -> Tensor:
    """Features at twice their height and width, by nearest neighbors."""
    return functional.interpolate(features, scale_factor=2.0, mode="nearest")
