"""Neighborhood priors: a label map becomes the share of each class around each voxel."""

from __future__ import annotations

import math

import torch
from torch import Tensor

PRIORS = ("mean", "gaussian", "max", "min", "median", "mode")
BORDERS = ("replicate", "background")


def neighborhood_prior(
    target: Tensor,
    num_classes: int,
    kind: str = "mean",
    kernel_size: int = 3,
    sigma: float = 2.0,
    border: str = "replicate",
) -> Tensor:
    """Share of each class in the window around each voxel.

    "mean": tau_k(x) = (number of voxels in the window around x whose label is k) / (size of the
    window); NACL (Murugesan et al. 2023, arXiv:2303.06268), Eq. 10. "gaussian": the same with the
    weights of `svls_kernel`. The others are one-hot: "max" and "min" the largest and smallest class
    of the window, "median" the class in the middle of its sorted labels, "mode" the most frequent
    one, the smallest of several; NACL, Eq. 12-15.

    Args:
        target: class indices, (B, 1, H, W[, D]), integer or float dtype. A label outside 0..C-1 belongs
            to no class and counts in no window.
        num_classes: number of classes C, background included.
        kind: one of `PRIORS`.
        kernel_size: side of the window in voxels, odd.
        sigma: width of the "gaussian" weights in voxels, above 0.
        border: what lies beyond the edge: "replicate", the nearest voxel; "background", class 0.

    Returns:
        The prior, (B, C, H, W[, D]), float32, non-negative, summing to one over C.

    Raises:
        ValueError: a `target` of another shape, unknown `kind` or `border`, a `kernel_size` that is even or
            below 1, or a `sigma` that is not above 0.

    Note:
        The authors' code pads the label map with zeros (`border="background"`), for "gaussian" it
        replicates.

    Example:
        >>> target = torch.tensor([[[[0, 0, 1], [0, 0, 1], [0, 0, 1]]]])
        >>> neighborhood_prior(target, num_classes=2)[0, :, 1, 1]
        tensor([0.6667, 0.3333])
    """
    check_prior(kind, kernel_size, sigma, border)
    if target.ndim not in (4, 5) or target.shape[1] != 1:
        raise ValueError(f"target is {tuple(target.shape)}; it must be (B, 1, H, W[, D])")
    return window_prior(pad_labels(target, kernel_size // 2, border), num_classes, kind, kernel_size, sigma)


def pad_labels(target: Tensor, radius: int, border: str) -> Tensor:
    """`target` with `radius` more voxels on every side of every spatial axis, as `border` says."""
    if border == "background":
        return torch.nn.functional.pad(target, [radius] * (2 * (target.ndim - 2)))
    for axis in range(2, target.ndim):
        size = target.shape[axis]
        index = torch.arange(-radius, size + radius, device=target.device).clamp(0, size - 1)
        target = target.index_select(axis, index)
    return target


def inner(padded: Tensor, radius: int) -> Tensor:
    """What `padded` holds without its margin of `radius` voxels."""
    for axis in range(2, padded.ndim):
        padded = padded.narrow(axis, radius, padded.shape[axis] - 2 * radius)
    return padded


def window_prior(padded: Tensor, num_classes: int, kind: str, kernel_size: int, sigma: float) -> Tensor:
    """The prior of the voxels of a padded label map whose windows lie inside it.

    Args:
        padded: class indices, (B, 1, H + k - 1, W + k - 1[, D + k - 1]) with k = `kernel_size`.
        num_classes: number of classes C.
        kind: one of `PRIORS`.
        kernel_size: side of the window in voxels.
        sigma: width of the "gaussian" weights.

    Returns:
        The prior, (B, C, H, W[, D]), float32.
    """
    classes = torch.arange(num_classes, device=padded.device, dtype=padded.dtype)
    one_hot = padded == classes.view(1, -1, *[1] * (padded.ndim - 2))
    if kind == "gaussian":
        return _normalized(_smoothed(one_hot, kernel_size, sigma))
    # Counting is done in the smallest integer type that holds a full window: it is the cheapest.
    window = kernel_size ** (padded.ndim - 2)
    counts = one_hot.to(torch.uint8 if window <= torch.iinfo(torch.uint8).max else torch.int32)
    for axis in range(2, padded.ndim):
        counts = _sum_along(counts, axis, kernel_size)
    if kind == "mean":
        return _normalized(counts.float())
    return _chosen_class(counts, kind).float()


def svls_kernel(kernel_size: int, sigma: float, dims: int) -> Tensor:
    """The weights of spatially varying label smoothing, (kernel_size,) * dims, summing to one.

    A Gaussian whose center is replaced by the sum of its neighbors, then normalized: the center
    weighs one half whatever `sigma` is. SVLS (Islam and Glocker 2021, arXiv:2104.05788), Eq. 2.

    Note:
        For sizes other than 3 the authors' code reads the element [1, 1] as the center; here it is
        the center.
    """
    if kernel_size == 1:
        return torch.ones([1] * dims)
    line = torch.tensor(_line(kernel_size, sigma), dtype=torch.float64)
    kernel = line
    for _ in range(dims - 1):
        kernel = kernel.unsqueeze(-1) * line
    center = (kernel_size // 2,) * dims
    kernel[center] = 0
    kernel[center] = kernel.sum()
    return (kernel / kernel.sum()).float()


def check_prior(kind: str, kernel_size: int, sigma: float, border: str) -> None:
    """Nothing; raises ValueError where `neighborhood_prior` could not use these arguments."""
    if kind not in PRIORS:
        raise ValueError(f"prior is {kind!r}; it must be one of {PRIORS}")
    if border not in BORDERS:
        raise ValueError(f"border is {border!r}; it must be one of {BORDERS}")
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size is {kernel_size}; it must be odd and at least 1")
    if not sigma > 0:
        raise ValueError(f"sigma is {sigma}; it must be above 0")


def _line(kernel_size: int, sigma: float) -> list[float]:
    """A Gaussian along one axis, 1 at its center."""
    radius = kernel_size // 2
    return [math.exp(-((place - radius) ** 2) / (2 * sigma**2)) for place in range(kernel_size)]


def _smoothed(one_hot: Tensor, kernel_size: int, sigma: float) -> Tensor:
    """The classes weighed by `svls_kernel`, axis by axis.

    With g the Gaussian that is 1 at its center and n the sum of its other elements, the kernel is
    g / 2n + (1/2 - 1/2n) at the center, and g is a product of lines.
    """
    line = _line(kernel_size, sigma)
    neighbors = sum(line) ** (one_hot.ndim - 2) - 1
    center = inner(one_hot, kernel_size // 2)
    if kernel_size == 1:
        return center.float()
    smoothed = one_hot.float()
    for axis in range(2, one_hot.ndim):
        smoothed = _sum_along(smoothed, axis, kernel_size, line)
    return smoothed.div_(2 * neighbors).add_(center, alpha=0.5 - 0.5 / neighbors)


def _sum_along(values: Tensor, axis: int, kernel_size: int, weights: list[float] | None = None) -> Tensor:
    """Weighed sums of `kernel_size` neighbors along `axis`, which gets `kernel_size - 1` shorter."""
    size = values.shape[axis] - kernel_size + 1
    total = values.narrow(axis, 0, size).clone() if weights is None else values.narrow(axis, 0, size) * weights[0]
    for shift in range(1, kernel_size):
        total.add_(values.narrow(axis, shift, size), alpha=1 if weights is None else weights[shift])
    return total


def _normalized(shares: Tensor) -> Tensor:
    """Shares that sum to one over the classes, where there is any."""
    return shares.div_(shares.sum(dim=1, keepdim=True).clamp_(min=torch.finfo(shares.dtype).tiny))


def _chosen_class(counts: Tensor, kind: str) -> Tensor:
    """One-hot of the first class, in ascending order, that is what `kind` asks for, bool."""
    if kind == "max":
        return _chosen_class(counts.flip(1), "min").flip(1)
    fits = counts > 0
    if kind == "mode":
        fits &= counts == counts.amax(dim=1, keepdim=True)
    elif kind == "median":
        fits &= 2 * counts.cumsum(dim=1, dtype=torch.int32) >= counts.sum(dim=1, keepdim=True)
    return fits & (fits.cumsum(dim=1, dtype=torch.int16) == 1)
