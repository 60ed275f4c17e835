"""Wrapped networks: those that several processes or `torch.compile` run inside of another module."""

from __future__ import annotations

from typing import Any

from torch.nn.parallel import DistributedDataParallel


def unwrapped(network: Any) -> Any:
    """The network itself, whose weights have the same names in every run.

    Args:
        network: a network, or one that is wrapped, once or more.
    """
    inner = network.module if isinstance(network, DistributedDataParallel) else getattr(network, "_orig_mod", network)
    return network if inner is network else unwrapped(inner)
