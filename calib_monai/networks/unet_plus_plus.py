"""UNet++ with one output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.networks.nets import BasicUNetPlusPlus
from torch import Tensor, nn


class UNetPlusPlus(nn.Module):
    """MONAI's BasicUNetPlusPlus with a tensor as its output, where MONAI's returns a list.

    Zhou et al. 2018 (arXiv:1807.10165), without deep supervision.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the image.
        out_channels: number of classes.
        features: channels of the five levels, and of the last layers.
        options: `act`, `norm`, `bias`, `dropout` and `upsample` of MONAI's class.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        features: Sequence[int] = (32, 32, 64, 128, 256, 32),
        **options: Any,
    ) -> None:
        super().__init__()
        self.network = BasicUNetPlusPlus(spatial_dims, in_channels, out_channels, features, **options)
        for level in (1, 2, 3):  # what these heads give is used in deep supervision alone
            setattr(self.network, f"final_conv_0_{level}", nn.Identity())

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, K, H, W[, D]) of an image (B, C, H, W[, D])."""
        logits: Tensor = self.network(image)[0]
        return logits
