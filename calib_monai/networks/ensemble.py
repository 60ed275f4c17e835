"""Ensembles: several trained networks as one, whose probabilities are averaged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from calib_monai.networks.wrapped import unwrapped


class EnsembleNetwork(nn.Module):
    """Networks whose probabilities are averaged; the logits are the logarithm of this mean.

    One member computes after the other, and only the sum so far is kept.

    Args:
        members: networks that take images (B, Cin, H, W[, D]) and give logits (B, C, H, W[, D]).
        ckpt_dirs: the folder of each member.

    Examples:
        >>> from torch import nn, zeros
        >>> class Sure(nn.Module):
        ...     def __init__(self, logit):
        ...         super().__init__()
        ...         self.logits = torch.tensor([0.0, logit]).view(1, 2, 1, 1)
        ...     def forward(self, image):
        ...         return self.logits.expand(len(image), 2, *image.shape[2:])
        >>> ensemble = EnsembleNetwork([Sure(0.0), Sure(50.0)], ["a", "b"])
        >>> [round(prob, 4) for prob in ensemble(zeros(1, 1, 1, 1)).softmax(dim=1).flatten().tolist()]
        [0.25, 0.75]
    """

    def __init__(self, members: Sequence[nn.Module], ckpt_dirs: Sequence[str]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.ckpt_dirs = list(ckpt_dirs)

    def forward(self, image: Tensor) -> Tensor:
        """Logits, (B, C, H, W[, D]), float32: their softmax is the mean of the members' probabilities."""
        return log_of_mean(member(image) for member in self.members)


def log_of_mean(logits: Iterable[Tensor]) -> Tensor:
    """The logarithm of the mean of softmax probabilities, (B, C, ...), float32; only the sum so far is kept.

    Args:
        logits: of each network, (B, C, ...).

    Raises:
        ValueError: there are none.
    """
    total, count = None, 0
    for one in logits:
        log_probs, count = one.float().log_softmax(dim=1), count + 1
        del one  # before the next network computes
        total = log_probs if total is None else torch.logaddexp(total, log_probs)
    if total is None:
        raise ValueError("an ensemble has no members; it must have one at least")
    return total - math.log(count)


class Ensemble:
    """The folders of the members of an ensemble; empty if a single network is used.

    Args:
        ckpt_dirs: the folders of their models.
    """

    def __init__(self, ckpt_dirs: Sequence[str] = ()) -> None:
        self.ckpt_dirs = list(ckpt_dirs)

    @property
    def suffix(self) -> str:
        """The end of the name of a folder for results: "" or "_ensemble"."""
        return "_ensemble" if self.ckpt_dirs else ""

    def of(self, network: nn.Module) -> nn.Module:
        """An ensemble of copies of a network, one for each folder, whose weights are not loaded yet; or the network."""
        copies = [deepcopy(network) for _ in self.ckpt_dirs]
        return EnsembleNetwork(copies, self.ckpt_dirs) if copies else network


def folders_of(network: object) -> list[str]:
    """The folders of the members of an ensemble; none of a single network."""
    network = unwrapped(network)
    return network.ckpt_dirs if isinstance(network, EnsembleNetwork) else []


def members_of(network: nn.Module, ckpt_dir: str) -> list[tuple[nn.Module, str]]:
    """Each member of a network, unwrapped, with the folder of its model.

    Args:
        network: an ensemble or a single network.
        ckpt_dir: the folder of a single network.
    """
    network = unwrapped(network)
    if isinstance(network, EnsembleNetwork):
        return list(zip(map(unwrapped, network.members), network.ckpt_dirs, strict=True))
    return [(network, ckpt_dir)]
