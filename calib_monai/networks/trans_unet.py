"""TransUNet: a ResNet, a transformer on its coarsest features, and a decoder with skips."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.blocks import Convolution
from torch import Tensor, nn
from torch.nn import functional

from calib_monai.arguments import check_share, check_whole, is_whole
from calib_monai.networks.imagenet21k import load_imagenet21k
from calib_monai.networks.resnetv2 import ResNetV2
from calib_monai.networks.vit import VisionTransformer

MULTIPLE = 16  # the encoder halves the image four times
FEATURES = 1024  # channels of the encoder's last block
BRIDGE = 512  # channels between transformer and decoder
DECODER = ((512, 256), (256, 128), (64, 64), (0, 16))  # channels of the skip and of what is decoded


class TransUNet(nn.Module):
    """TransUNet for 2D images (Chen et al. 2021, arXiv:2102.04306), R50-ViT-B/16 by its defaults.

    The published network, of 3 channels, 5 classes and 192 x 192 pixels, has 105,236,565 weights.

    Args:
        in_channels: channels of the image.
        out_channels: number of classes.
        img_size: H and W for which the position embeddings are made, multiples of 16. For an image of another size the
            embeddings are interpolated.
        hidden_size: channels of a token.
        mlp_dim: channels inside the transformer's perceptrons.
        num_layers: layers of the transformer.
        num_heads: heads of each attention.
        dropout: share of what the transformer drops; its attention drops nothing.
        pretrained: path of `R50+ViT-B_16.npz`, the weights of ImageNet-21k that Google publishes
            (storage.googleapis.com/vit_models/imagenet21k). Without it all weights start at random.

    Raises:
        ValueError: an argument out of its range, or a file that does not fit.

    Note:
        The first convolution takes the image's own channels; the authors repeat a single channel three times. With
        ImageNet's weights both give the same, see `load_imagenet21k`. `calib_monai.networks.resnetv2` says where
        padding and groups differ from the authors' code.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        img_size: Sequence[int],
        hidden_size: int = 768,
        mlp_dim: int = 3072,
        num_layers: int = 12,
        num_heads: int = 12,
        dropout: float = 0.1,
        pretrained: str | None = None,
    ) -> None:
        super().__init__()
        _check_sizes(in_channels=in_channels, out_channels=out_channels)
        _check_sizes(hidden_size=hidden_size, mlp_dim=mlp_dim, num_layers=num_layers, num_heads=num_heads)
        _check_image_size(img_size)
        if hidden_size % num_heads:
            raise ValueError(f"hidden_size is {hidden_size}; it must be a multiple of num_heads, {num_heads}")
        check_share("dropout", dropout, zero=True)
        grid = [size // MULTIPLE for size in img_size]
        self.multiple = MULTIPLE
        self.encoder = ResNetV2(in_channels)
        self.transformer = VisionTransformer(FEATURES, grid, hidden_size, mlp_dim, num_layers, num_heads, dropout)
        self.bridge = _convolution(hidden_size, BRIDGE)
        self.decoder = nn.ModuleList()
        channels = BRIDGE
        for skip, decoded in DECODER:
            self.decoder.append(nn.Sequential(_convolution(channels + skip, decoded), _convolution(decoded, decoded)))
            channels = decoded
        self.head = nn.Conv2d(channels, out_channels, 3, padding=1)
        if pretrained is not None:
            load_imagenet21k(pretrained, self.encoder, self.transformer)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, K, H, W) of an image (B, C, H, W).

        Raises:
            ValueError: H or W is no multiple of 16.
        """
        if image.shape[2] % self.multiple != 0 or image.shape[3] % self.multiple != 0:
            raise ValueError(f"image is {list(image.shape)}; height and width must be multiples of {self.multiple}")
        features, skips = self.encoder(image)
        decoded = self.bridge(self.transformer(features))
        for level, convolutions in enumerate(self.decoder):
            decoded = functional.interpolate(decoded, scale_factor=2.0, mode="bilinear", align_corners=True)
            if level < len(skips):
                decoded = torch.cat([decoded, skips[level]], dim=1)
            decoded = convolutions(decoded)
        logits: Tensor = self.head(decoded)
        return logits


def _convolution(in_channels: int, out_channels: int) -> Convolution:
    """A 3 x 3 convolution, batch normalization and ReLU."""
    return Convolution(2, in_channels, out_channels, adn_ordering="NA", act="relu", norm="batch", bias=False)


def _check_sizes(**sizes: int) -> None:
    """Raise ValueError if a size is not a whole number above 0."""
    for name, size in sizes.items():
        check_whole(name, size, least=1)


def _check_image_size(img_size: Sequence[int]) -> None:
    """Raise ValueError if the size of an image is not two multiples of 16."""
    given = list(img_size) if isinstance(img_size, Sequence) else img_size
    rule = f"it must be height and width, multiples of {MULTIPLE}"
    if not isinstance(given, list) or len(given) != 2:  # noqa: PLR2004 - height and width
        raise ValueError(f"img_size is {given!r}; {rule}")
    if any(not is_whole(size) or size < 1 or size % MULTIPLE for size in given):
        raise ValueError(f"img_size is {given!r}; {rule}")
