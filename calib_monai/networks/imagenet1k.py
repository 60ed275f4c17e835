"""ImageNet weights of a ResNet: a file of torchvision fills MONAI's ResNet, whose weights have the same names."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from monai.networks.nets import ResNet
from torch import Tensor

from calib_monai.weights import differing_weights, spoiled_weights

FIRST = "conv1.weight"
RGB = 3  # channels of the published first convolution


def load_imagenet1k(path: str | Path, encoder: ResNet) -> None:
    """Fill a ResNet with the weights of a file of torchvision, such as `resnet34-b627a593.pth`.

    Args:
        path: a file with the names and shapes of torchvision's ResNet. Its last layer, `fc`, is left out.
        encoder: MONAI's ResNet without a last layer. For C channels other than 3, the kernel of each channel is the sum
            of the file's three divided by C. One channel then gives what three copies of it give with the published
            kernels, and so do C copies.

    Raises:
        ValueError: the file is missing, damaged, or of another network.
    """
    own = encoder.state_dict()
    weights = {name: value for name, value in _read(path).items() if not name.startswith("fc.")}
    # files of before PyTorch 0.4.1 have no counts of batches
    weights = {name: own[name] for name in own if name.endswith("num_batches_tracked")} | weights
    kernel, channels = weights.get(FIRST), own[FIRST].shape[1]
    if isinstance(kernel, Tensor) and kernel.shape[1:2] == (RGB,) and channels != RGB:
        weights[FIRST] = kernel.sum(dim=1, keepdim=True).expand(-1, channels, -1, -1) / channels
    wrong = differing_weights(weights, own) or spoiled_weights(weights, own)
    if wrong:
        raise ValueError(f"{path} is not of this ResNet: of its weights {wrong}; it must be torchvision's file")
    encoder.load_state_dict(weights)


def _read(path: str | Path) -> dict[str, Tensor]:
    """The weights in a file; raise ValueError if it is missing, damaged, or holds something else."""
    rule = "it must be torchvision's resnet34-b627a593.pth"
    if not isinstance(path, str | Path) or not Path(path).is_file():
        raise ValueError(f"{path} is missing; {rule}")
    try:
        weights: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} cannot be read ({type(error).__name__}); {rule}") from None
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise ValueError(f"{path} holds no weights; {rule}")
    return weights
