"""Weights of networks: how those of a file differ from a network's own."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from calib_monai.grids import SPATIAL_DIMS


def axes_of(weights: Mapping[str, torch.Tensor]) -> int:
    """The axes of images that the convolutions of a network take, by their weights; 0 if there is none."""
    return max((value.ndim - 2 for value in weights.values() if value.ndim in (4, 2 + SPATIAL_DIMS)), default=0)


def differing_weights(weights: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor]) -> str:
    """The differences of weights from a network's own in names and sizes, or an empty text."""
    differing = {
        f"of {len(own)} are missing": [name for name in own if name not in weights],
        "are not of the network": [name for name in weights if name not in own],
        "are of another size": [name for name in own if name in weights and own[name].shape != weights[name].shape],
    }
    return ", ".join(f"{len(names)} {what} (first {names[0]})" for what, names in differing.items() if names)


def spoiled_weights(weights: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor]) -> str:
    """The weights that a network of these names and sizes cannot compute with, or an empty text.

    PyTorch takes whole and complex numbers for real ones, and cuts off what does not fit.
    """
    real = [name for name, value in own.items() if value.is_floating_point()]
    held = [name for name in real if weights[name].is_floating_point()]
    spoiled = {
        "hold no real numbers": [name for name in real if name not in held],
        "hold NaN or infinite values": [
            name for name in held if not weights[name].to(own[name].dtype).isfinite().all()
        ],
    }
    told = [f"{len(names)} of {len(own)} {what} (first {names[0]})" for what, names in spoiled.items() if names]
    return ", ".join(told)
