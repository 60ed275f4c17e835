"""The transformer of R50-ViT: every place of a feature map looks at every other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.blocks import MLPBlock
from torch import Tensor, nn
from torch.nn import functional

EPS = 1e-6  # of the layer normalizations


def resized(position: Tensor, size: list[int]) -> Tensor:
    """Position embeddings (1, C, h, w) on the grid `size`: linear, corners onto corners, as published."""
    if list(position.shape[2:]) == size:
        return position
    return functional.interpolate(position, size=size, mode="bilinear", align_corners=True)


class TransformerLayer(nn.Module):
    """Attention and a perceptron, each after its normalization and beside a shortcut.

    MONAI's TransformerBlock is not used: it needs einops, applies its dropout rate to attention weights, too, and holds
    a third normalization that learns nothing.

    Args:
        hidden_size: channels of a token.
        mlp_dim: channels inside the perceptron.
        num_heads: heads of the attention; `hidden_size` must be a multiple.
        dropout_rate: share of what is dropped in the perceptron. Attention drops nothing.

    Note:
        GELU is exact, as in the authors' code; Google's weights were trained with its tanh form.
    """

    def __init__(self, hidden_size: int, mlp_dim: int, num_heads: int, dropout_rate: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(hidden_size, eps=EPS)
        self.attention = nn.MultiheadAttention(hidden_size, num_heads, batch_first=True)
        self.norm2 = nn.LayerNorm(hidden_size, eps=EPS)
        self.mlp = MLPBlock(hidden_size, mlp_dim, dropout_rate)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N, C) of tokens (B, N, C)."""
        normalized = self.norm1(tokens)
        tokens = tokens + self.attention(normalized, normalized, normalized, need_weights=False)[0]
        seen: Tensor = tokens + self.mlp(self.norm2(tokens))
        return seen


class VisionTransformer(nn.Module):
    """ViT (Dosovitskiy et al. 2021, arXiv:2010.11929) with patches of 1 x 1, from feature map to feature map.

    Args:
        in_channels: channels of the feature map.
        grid: h and w of the feature map that the position embeddings are made for.
        hidden_size: channels of a token.
        mlp_dim: channels inside the perceptrons.
        num_layers: number of layers.
        num_heads: heads of each attention; `hidden_size` must be a multiple.
        dropout_rate: share of what is dropped of the embedding and in the perceptrons.

    Note:
        There is no class token. The position embeddings start at random (standard deviation 0.02),
        as in ViT; TransUNet's authors start them at 0.
    """

    def __init__(
        self,
        in_channels: int,
        grid: Sequence[int],
        hidden_size: int = 768,
        mlp_dim: int = 3072,
        num_layers: int = 12,
        num_heads: int = 12,
        dropout_rate: float = 0.1,
    ) -> None:
        super().__init__()
        self.embedding = nn.Conv2d(in_channels, hidden_size, 1)
        self.position = nn.Parameter(torch.empty(1, hidden_size, *grid))
        nn.init.trunc_normal_(self.position, std=0.02)
        self.dropout = nn.Dropout(dropout_rate)
        layers = (TransformerLayer(hidden_size, mlp_dim, num_heads, dropout_rate) for _ in range(num_layers))
        self.layers = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(hidden_size, eps=EPS)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, hidden_size, h, w) of features (B, C, h, w); of any h and w."""
        embedded = self.embedding(features)
        embedded = self.dropout(embedded + resized(self.position, embedded.shape[2:]))
        tokens: Tensor = self.norm(self.layers(embedded.flatten(2).transpose(1, 2)))
        return tokens.transpose(1, 2).reshape(embedded.shape)
