"""The UNet of the papers: convolutions and ReLU alone, without any normalization."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.blocks import Convolution
from monai.networks.layers import SkipConnection
from monai.networks.nets.basic_unet import TwoConv
from torch import nn

from calib_monai.arguments import check_whole
from calib_monai.networks.options import check_levels

STRIDES = (2, 2, 2, 4)  # of the max-pooling


class PlainUNet(nn.Sequential):
    """The UNet of the papers' main tables, for 2D images: (B, C, H, W) become logits (B, K, H, W).

    Each of the five levels has two 3 x 3 convolutions, each followed by ReLU. Max-pooling leads down, nearest neighbors
    and the skip's channels lead up, and a 1 x 1 convolution gives the logits. Nothing is normalized.

    Args:
        in_channels: C, channels of the image.
        out_channels: K, number of classes.
        features: channels of the levels.
        strides: of the max-pooling between the levels.
        act: activation.
        norm: normalization after each convolution; the papers have none.
        dropout: share of what each convolution drops.

    Note:
        The papers give 7.85 M weights and five levels. Widths and strides come from the public code of MbLS and NACL,
        which names 32, 64, 128, 256 and 512 and pools by 2, 2, 2 and 4. From one channel to four classes this class
        then has 7,846,180 weights, as many as that code. MONAI's BasicUNet halves channels on the way up, and so has
        another number of weights.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        features: Sequence[int] = (32, 64, 128, 256, 512),
        strides: Sequence[int] = STRIDES,
        act: tuple[object, ...] | str = "RELU",
        norm: tuple[object, ...] | str | None = None,
        dropout: float = 0.0,
    ) -> None:
        check_levels("features", features, strides, default=strides is STRIDES)
        for stride in strides:
            check_whole("a number in strides", stride, least=1)

        def convolutions(inside: int, outside: int) -> nn.Module:
            return TwoConv(2, inside, outside, act, norm, True, dropout)  # type: ignore[arg-type]  # noqa: FBT003 - bias

        below = convolutions([in_channels, *features][-2], features[-1])  # the deepest level
        for level in reversed(range(len(strides))):
            stride = strides[level]
            inside = features[level - 1] if level else in_channels
            deeper = nn.Sequential(nn.MaxPool2d(stride), below, nn.Upsample(scale_factor=float(stride)))
            below = nn.Sequential(
                convolutions(inside, features[level]),
                SkipConnection(deeper),
                convolutions(features[level] + features[level + 1], features[level]),
            )
        super().__init__(below, Convolution(2, features[0], out_channels, kernel_size=1, conv_only=True))
        self.strides = list(strides)  # which model.json holds: the weights do not show them
