"""Variety: tells probabilities of a network from a segmentation or a constant that was written in other numbers."""

from __future__ import annotations

import torch
from torch import Tensor

FEWEST = 100  # voxels: the probabilities of fewer may be the same by chance
ALIKE = 1e-5  # by which two numbers that were the same may differ, as a part of them: a softmax rounds


def check_varied(name: str, probs: Tensor) -> None:
    """Raise ValueError if all voxels of a predicted class have the same probabilities.

    A network gives each voxel its own, and so do the votes of several: a class that some of them give has voxels that
    all give. Each voxel is compared with the first one of its class, plane by plane until one differs.

    Args:
        name: of the file.
        probs: (C, X, Y, Z).
    """
    if probs[0].numel() < FEWEST:
        return
    first: dict[int, Tensor] = {}
    for plane in probs.flatten(2).unbind(1):
        best = plane.argmax(dim=0)
        for index in set(best.bincount().nonzero().flatten().tolist()) - first.keys():
            first[index] = plane[:, best == index][:, 0]
        known = torch.stack([first.get(index, plane[:, 0]) for index in range(len(plane))], dim=1)
        own = known[:, best]
        if ((plane - own).abs_() > ALIKE * own).any():
            return
    shown = ", ".join(f"{value:.3g}" for value in next(iter(first.values())).sort(descending=True).values[:3].tolist())
    if len(first) == 1:
        raise ValueError(f"{name} has the same probabilities in all its voxels, {shown}; needed are those of a network")
    raise ValueError(
        f"{name} has the same probabilities, such as {shown}, in all voxels of a predicted class: a segmentation in "
        "other numbers; needed are probabilities, before the argmax"
    )
