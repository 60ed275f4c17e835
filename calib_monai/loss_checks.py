"""Checks of a loss: it is tried on a slice or a small patch before the data are read, and refused if it would fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch

from calib_monai.checks import first_line
from calib_monai.generators import generators_on
from calib_monai.grids import SPATIAL_DIMS
from calib_monai.losses import leaving_out
from calib_monai.tensor_checks import check_gives_logits

LARGEST_TRIED = 16  # voxels of a patch along an axis

OF_OTHERS = ("monai.losses", "torch.nn.modules.loss")  # modules of losses that may take their input for probabilities


def check_loss(
    loss: torch.nn.Module,
    network: torch.nn.Module,
    inferer: Callable[[torch.Tensor, torch.nn.Module], Any],
    in_channels: int,
    num_classes: int,
    slice_size: Sequence[int],
    device: torch.device,
    ignore_index: int | None = None,
) -> None:
    """Raise ValueError if a loss cannot take the network's output for a slice, or gives no number that depends on it.

    With an `ignore_index` it is also one from which no voxel can be left out. A network of slices that gives
    probabilities in place of logits is refused, too.

    For volumes it is tried on a small patch with random logits: a network would take seconds for a large one.

    A loss of MONAI or PyTorch without a softmax of the logits is refused, too, because everywhere else probabilities
    are the softmax. The state of random generators is restored.
    """
    name, volumes = type(loss).__name__, len(slice_size) == SPATIAL_DIMS
    loss = leaving_out(deepcopy(loss), ignore_index) if ignore_index is not None else loss
    training = network.training
    try:
        with torch.no_grad(), torch.random.fork_rng(generators_on(device)):
            size = [min(size, LARGEST_TRIED) for size in slice_size] if volumes else slice_size
            image = torch.rand((1, in_channels, *size), device=device)
            target = torch.randint(num_classes, (1, 1, *size), device=device).float()
            said = inferer(image, _Stand(num_classes) if volumes else network.eval())
            value = loss.to(device)(said, target)
            without, idle = "", False
            if isinstance(said, torch.Tensor):
                without, idle = _without_softmax(loss, said, target), _is_idle(loss, said, target)
    except Exception as error:  # noqa: BLE001 - every loss has errors of its own
        raise ValueError(
            f"{name} cannot take logits of {num_classes} classes and class indices: {first_line(error)}"
        ) from None
    finally:
        network.train(training)
    check_gives_logits(said)
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        given = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        raise ValueError(f"{name} gives {given} for a batch; it must give one number")
    if not value.isfinite():
        raise ValueError(f"{name} gives {value.item():g} for random logits; it must give a finite number")
    if idle:
        raise ValueError(
            f"{name} has no gradient at random logits, so the first steps would teach the network nothing: a weight "
            "that grows must begin above 0"
        )
    if without:
        otherwise = "" if without == name else f"; if {name} has no such option, add up such losses by CompoundLoss"
        raise ValueError(
            f"{without} does not take the softmax of logits; set softmax (or use_softmax) to True{otherwise}"
        )


class _Stand(torch.nn.Module):
    """In the place of a network for volumes: random logits (B, K, H, W, D) for images (B, C, H, W, D)."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The logits."""
        return torch.rand((len(images), self.num_classes, *images.shape[2:]), device=images.device)


def _is_idle(loss: torch.nn.Module, logits: torch.Tensor, target: torch.Tensor) -> bool:
    """Whether a loss has no gradient, neither at small logits nor at large ones, which a margin allows more easily."""
    with torch.enable_grad():
        for scale in (1.0, 10.0, 100.0):
            varied = (scale * torch.randn_like(logits)).requires_grad_()
            value = loss(varied, target)
            if not isinstance(value, torch.Tensor) or value.numel() != 1:
                return False
            [change] = torch.autograd.grad(value, varied, allow_unused=True) if value.requires_grad else [None]
            if change is not None and change.any():
                return False
    return True


def _without_softmax(loss: torch.nn.Module, logits: torch.Tensor, target: torch.Tensor) -> str:
    """The name of the first loss of MONAI or PyTorch that changes if 1 is added to all logits, or an empty text."""
    logits = torch.randn_like(logits)  # those of a new network may be all alike
    first, second = (_outputs(loss, logits + more, target) for more in (0, 1))
    changed = (name for (name, before), (_, after) in zip(first, second, strict=True) if not _close(before, after))
    return next(changed, "")


def _outputs(loss: torch.nn.Module, logits: torch.Tensor, target: torch.Tensor) -> list[tuple[str, Any]]:
    """The name and value of each loss of MONAI or PyTorch inside a loss, in the order of their calls."""
    said: list[tuple[str, Any]] = []
    hooks = [
        part.register_forward_hook(lambda part, _, output: said.append((type(part).__name__, output)))
        for part in loss.modules()
        if type(part).__module__.startswith(OF_OTHERS)
    ]
    try:
        loss(logits, target)
    finally:
        for hook in hooks:
            hook.remove()
    return said


def _close(before: Any, after: Any) -> bool:
    """Whether two outputs are equal, to rounding."""
    return not isinstance(before, torch.Tensor) or torch.allclose(before, after, rtol=1e-3, atol=1e-5, equal_nan=True)
