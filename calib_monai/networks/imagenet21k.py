"""ImageNet-21k weights: the arrays of Google's R50+ViT-B_16.npz become those of encoder and transformer."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from zipfile import BadZipFile, is_zipfile

import numpy as np
import torch
from numpy.lib.npyio import NpzFile
from torch import Tensor, nn

from calib_monai.archives import check_unpacked
from calib_monai.networks.resnetv2 import ResNetV2, standardized
from calib_monai.networks.vit import TransformerLayer, VisionTransformer, resized

RGB = 3  # channels of the published first convolution
MOST_UNPACKED = 2**31  # bytes; the published file has 0.4 GB


def load_imagenet21k(path: str | Path, encoder: ResNetV2, transformer: VisionTransformer) -> None:
    """Fill encoder and transformer with the arrays of a published file.

    The class token and its position, and what follows the last normalization, are left out.

    Args:
        path: an npz file with the names and shapes of `R50+ViT-B_16.npz`.
        encoder: the ResNet. For C channels other than 3, the kernel of each channel is the sum of the file's three
            (standardized) kernels divided by C. One channel then gives exactly the result of three copies of it with
            the published kernels, and so do C copies.
        transformer: the ViT; position embeddings are interpolated if its grid differs.

    Raises:
        ValueError: the file is missing or damaged, lacks an array or holds one of another shape.
    """
    if not isinstance(path, str | Path) or not is_zipfile(path):
        raise ValueError(f"{path} is missing or damaged; it must be Google's R50+ViT-B_16.npz")
    try:
        check_unpacked(path, MOST_UNPACKED)
    except (ValueError, OSError, BadZipFile) as error:
        raise ValueError(f"{path} is damaged ({error}); it must be Google's R50+ViT-B_16.npz") from None
    with np.load(path, allow_pickle=False) as file, torch.no_grad():
        arrays = _Arrays(path, file)
        _fill_encoder(arrays, encoder)
        _fill_transformer(arrays, transformer)


class _Arrays:
    """The arrays of a file, each read where it is asked for.

    Args:
        path: of the file, for messages.
        file: the opened file.
    """

    def __init__(self, path: str | Path, file: NpzFile) -> None:
        self.path = path
        self.file = file

    def read(self, key: str, *shape: int | str) -> Tensor:
        """The array of that name as float32; a word in its shape stands for any number.

        Raises:
            ValueError: it is missing, damaged, not of floats or of another shape.
        """
        rule = f"({', '.join(map(str, shape))})"
        if key not in self.file:
            raise ValueError(f"{self.path} has no array '{key}'; it must have one of the shape {rule}")
        try:
            array = self.file[key]
        except (ValueError, EOFError, OSError, BadZipFile, zlib.error) as error:
            raise ValueError(f"{self.path}: array '{key}' cannot be read ({error})") from None
        flat = len(shape) == 1 and array.shape[:-1] == (1, 1, 1)  # as the file holds the group normalizations
        given = array.shape[-1:] if flat else array.shape
        fits = len(given) == len(shape) and all(g == s or isinstance(s, str) for g, s in zip(given, shape, strict=True))
        if not fits or array.dtype.kind != "f":
            raise ValueError(f"{self.path}: array '{key}' is {array.dtype} {array.shape}; it must be floats {rule}")
        return torch.from_numpy(array.reshape(given).astype(np.float32))


def _fill_encoder(arrays: _Arrays, encoder: ResNetV2) -> None:
    """The root, and the units of each block, whose parts are named as in the file."""
    _fill_root(arrays, encoder)
    _fill_normalization(arrays, "gn_root", encoder.gn_root)
    in_blocks = {name: part for name, part in encoder.named_modules() if name.startswith("block")}
    for name, part in in_blocks.items():
        key = name.replace(".", "/")
        if isinstance(part, nn.Conv2d):
            part.weight.copy_(_read_kernel(arrays, key, part, part.in_channels))
        elif isinstance(part, nn.GroupNorm):
            _fill_normalization(arrays, key, part)


def _fill_root(arrays: _Arrays, encoder: ResNetV2) -> None:
    """The first convolution, brought to its number of channels.

    The encoder standardizes the sum of standardized kernels anew; `root_gain` corrects this.
    """
    root = encoder.conv_root
    kernel = _read_kernel(arrays, "conv_root", root, RGB)
    if root.in_channels == RGB:
        root.weight.copy_(kernel)
        return
    shared = standardized(kernel).sum(dim=1, keepdim=True) / root.in_channels
    root.weight.copy_(shared.expand_as(root.weight))
    encoder.root_gain.copy_(shared.std(dim=(1, 2, 3), correction=0).reshape(encoder.root_gain.shape))


def _fill_transformer(arrays: _Arrays, transformer: VisionTransformer) -> None:
    """Embedding, positions, layers and the last normalization."""
    embedding = transformer.embedding
    embedding.weight.copy_(_read_kernel(arrays, "embedding", embedding, embedding.in_channels))
    if embedding.bias is not None:
        embedding.bias.copy_(arrays.read("embedding/bias", embedding.out_channels))
    _fill_position(arrays, transformer.position)
    for number, layer in enumerate(transformer.layers):
        if isinstance(layer, TransformerLayer):
            _fill_layer(arrays, f"Transformer/encoderblock_{number}", layer)
    _fill_normalization(arrays, "Transformer/encoder_norm", transformer.norm)


def _fill_position(arrays: _Arrays, position: Tensor) -> None:
    """Position embeddings (1, C, h, w) from an array (1, 1 + n n, C), whose first row is the class token's."""
    key = "Transformer/posembed_input/pos_embedding"
    tokens = arrays.read(key, 1, "1 + n x n", position.shape[1])[:, 1:]
    side = math.isqrt(tokens.shape[1])
    if side < 1 or side * side != tokens.shape[1]:
        raise ValueError(f"{arrays.path}: array '{key}' has {tokens.shape[1] + 1} rows; it must have 1 + n x n")
    grid = tokens.transpose(1, 2).reshape(1, -1, side, side)
    position.copy_(resized(grid, list(position.shape[2:])))


def _fill_layer(arrays: _Arrays, name: str, layer: TransformerLayer) -> None:
    """One layer: two normalizations, attention and perceptron."""
    _fill_normalization(arrays, f"{name}/LayerNorm_0", layer.norm1)
    _fill_attention(arrays, f"{name}/MultiHeadDotProductAttention_1", layer.attention)
    _fill_normalization(arrays, f"{name}/LayerNorm_2", layer.norm2)
    for number, linear in enumerate((layer.mlp.linear1, layer.mlp.linear2)):
        key = f"{name}/MlpBlock_3/Dense_{number}"
        linear.weight.copy_(arrays.read(f"{key}/kernel", linear.in_features, linear.out_features).T)
        linear.bias.copy_(arrays.read(f"{key}/bias", linear.out_features))


def _fill_attention(arrays: _Arrays, name: str, attention: nn.MultiheadAttention) -> None:
    """Query, key and value, which torch holds one below the other, and the projection of the output."""
    size = attention.embed_dim
    heads = (attention.num_heads, attention.head_dim)
    parts = ("query", "key", "value")
    kernels = [arrays.read(f"{name}/{part}/kernel", size, *heads).reshape(size, size).T for part in parts]
    biases = [arrays.read(f"{name}/{part}/bias", *heads).flatten() for part in parts]
    attention.in_proj_weight.copy_(torch.cat(kernels))
    attention.in_proj_bias.copy_(torch.cat(biases))
    attention.out_proj.weight.copy_(arrays.read(f"{name}/out/kernel", *heads, size).reshape(size, size).T)
    attention.out_proj.bias.copy_(arrays.read(f"{name}/out/bias", size))


def _fill_normalization(arrays: _Arrays, name: str, normalization: nn.GroupNorm | nn.LayerNorm) -> None:
    channels = normalization.weight.numel()
    normalization.weight.copy_(arrays.read(f"{name}/scale", channels))
    normalization.bias.copy_(arrays.read(f"{name}/bias", channels))


def _read_kernel(arrays: _Arrays, name: str, convolution: nn.Conv2d, in_channels: int) -> Tensor:
    """The kernels of a convolution (O, I, h, w), which the file holds as (h, w, I, O)."""
    height, width = convolution.kernel_size
    kernel = arrays.read(f"{name}/kernel", height, width, in_channels, convolution.out_channels)
    return kernel.permute(3, 2, 0, 1)
