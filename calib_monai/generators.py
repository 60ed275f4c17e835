"""Random generators: those whose state a check or a prediction leaves as it was."""

from __future__ import annotations

import torch


def generators_on(device: torch.device) -> list[torch.device]:
    """The devices whose random generators `torch.random.fork_rng` must restore, besides the CPU's, after work on one.

    Args:
        device: on which networks run. Without CUDA there is no generator on it.
    """
    return [device] if device.type == "cuda" and torch.cuda.is_available() else []
