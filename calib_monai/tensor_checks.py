"""Tensor checks: whether tensors that are given together fit, and whether logits are logits."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

VIEWS = (Tensor, Tensor, Tensor, Tensor | None)  # first, second, valid, weight
SUM_TO_ONE = 0.02  # how far sums of rounded probabilities lie from 1: 8 classes as bytes


def are_probabilities(logits: Tensor) -> bool:
    """Whether values (B, C, ...) are from 0 to 1 and sum over the classes to 1 in every voxel, as no logits do."""
    values = logits.detach().as_subclass(Tensor)
    if not values.numel() or not values.amin() >= 0:
        return False
    return torch.allclose(values.float().sum(dim=1), values.new_ones((), dtype=torch.float32), atol=SUM_TO_ONE)


def check_gives_logits(output: object) -> None:
    """Raise ValueError if a network gives probabilities, which would go through a second softmax.

    Args:
        output: of the network, (B, C, ...), or views as in `check_views`, of which pixels inside the first one count.
            Others pass.
    """
    if isinstance(output, tuple) and len(output) == len(VIEWS):
        first, _, valid, _ = output
        output = first.movedim(1, -1)[valid[:, 0]]
    if isinstance(output, Tensor) and are_probabilities(output):
        raise ValueError(
            "network_def gives probabilities, from 0 to 1 with the sum 1 in every voxel; logits are needed, because "
            "a softmax follows: leave out the softmax of the network"
        )


def check_logits_and_target(logits: Tensor, target: Tensor) -> None:
    """Raise ValueError if logits are no floats (B, C, H, W[, D]) of two classes or more, or the target does not fit."""
    for name, values in (("logits", logits), ("target", target)):
        if not isinstance(values, Tensor):
            kind, hint = type(values).__name__, ""
            if isinstance(values, np.ndarray):
                kind, hint = f"numpy.{kind}", " (torch.from_numpy makes one)"
            raise ValueError(f"{name} are a {kind}; they must be a tensor{hint}")  # noqa: TRY004 - as all refusals
        if values.is_complex():
            raise ValueError(f"{name} are {values.dtype}; they must be a tensor of real numbers")
    check_one_device(logits=logits, target=target)
    if logits.ndim not in (4, 5) or tuple(target.shape) != (logits.shape[0], 1, *logits.shape[2:]):
        raise ValueError(
            f"logits are {tuple(logits.shape)} and target is {tuple(target.shape)}; "
            "they must be (B, C, H, W[, D]) and (B, 1, H, W[, D])"
        )
    if logits.shape[1] == 1:
        raise ValueError("logits have 1 channel; there must be one for each class, at least 2")
    if not logits.is_floating_point():
        raise ValueError(f"logits are {logits.dtype}; they must be a float type")
    if not target.numel():
        raise ValueError(f"target is {tuple(target.shape)}; it must hold a voxel")


def check_one_device(**tensors: Tensor) -> None:
    """Raise ValueError if the first of these tensors lies on another device than one of the others."""
    (name, first), *others = tensors.items()
    for other, tensor in others:
        if tensor.device != first.device:
            raise ValueError(
                f"{name} are on {first.device} and {other} is on {tensor.device}; both must be on one device"
            )


def check_views(views: tuple[Tensor, Tensor, Tensor, Tensor | None]) -> None:
    """Raise ValueError if views are not the four of `calib_monai.views.TwoViewInferer`, or do not fit together."""
    if not (isinstance(views, tuple | list) and len(views) == len(VIEWS) and all(map(isinstance, views, VIEWS))):
        raise ValueError(
            f"views are {type(views).__name__}; they must be the tensors (first, second, valid, weight), as "
            "calib_monai.views.TwoViewInferer gives them"
        )
    first, second, valid, weight = views
    for name, part, channels in (("second", second, first.shape[1]), ("valid", valid, 2), ("weight", weight, 1)):
        wanted = (len(first), channels, *first.shape[2:])
        if part is not None and part.shape != wanted:
            raise ValueError(f"{name} is {tuple(part.shape)}; with the first view's logits it must be {wanted}")
    check_one_device(logits=first, second=second, valid=valid, **({} if weight is None else {"weight": weight}))
    if valid.dtype != torch.bool:
        raise ValueError(f"valid is {valid.dtype}; it must be bool")
