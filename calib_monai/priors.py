"""Neighborhood priors: a label map becomes the share of each class around each voxel."""

from __future__ import annotations

import torch
from torch import Tensor

PRIORS = ("mean", "gaussian")
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
    weights of `svls_kernel`.

    Args:
        target: class indices, (B, 1, H, W[, D]), integer or float dtype. A label outside 0..C-1 belongs
            to no class: around it the prior sums to less than one.
        num_classes: number of classes C, background included.
        kind: "mean" or "gaussian".
        kernel_size: side of the window in voxels, odd.
        sigma: width of the "gaussian" weights in voxels, above 0.
        border: what lies beyond the edge: "replicate", the nearest voxel; "background", class 0.

    Returns:
        The prior, (B, C, H, W[, D]), float32, non-negative, summing to one over C.

    Raises:
        ValueError: a `target` of another shape, unknown `kind` or `border`, a `kernel_size` that is even or
            below 1, or a `sigma` that is not above 0.

    Note:
        The authors' code pads the label map with zeros for "mean" (`border="background"`) and
        replicates for "gaussian".

    Example:
        >>> target = torch.tensor([[[[0, 0, 1], [0, 0, 1], [0, 0, 1]]]])
        >>> neighborhood_prior(target, num_classes=2)[0, :, 1, 1]
        tensor([0.6667, 0.3333])
    """
    check_prior(kind, kernel_size, sigma, border)
    if target.ndim not in (4, 5) or target.shape[1] != 1:
        raise ValueError(f"target is {tuple(target.shape)}; it must be (B, 1, H, W[, D])")
    classes = torch.arange(num_classes, device=target.device).view(1, -1, *[1] * (target.ndim - 2))
    one_hot = _pad(target, kernel_size // 2, border) == classes
    if kind == "gaussian":
        kernel = svls_kernel(kernel_size, sigma, dims=target.ndim - 2).to(target.device)
        convolve = {2: torch.nn.functional.conv2d, 3: torch.nn.functional.conv3d}[kernel.ndim]
        smoothed: Tensor = convolve(one_hot.float().flatten(0, 1).unsqueeze(1), kernel[None, None])
        return smoothed.reshape(one_hot.shape[:2] + target.shape[2:])
    window = kernel_size ** (target.ndim - 2)
    # Counting is done in the smallest integer type that holds a full window: it is the cheapest.
    count_dtype = torch.uint8 if window <= torch.iinfo(torch.uint8).max else torch.int32
    counts = one_hot.to(count_dtype)
    for axis in range(2, target.ndim):
        counts = _sum_along(counts, axis, kernel_size)
    return counts.to(torch.float32).div(window)


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
    distances = torch.arange(kernel_size, dtype=torch.float64) - kernel_size // 2
    line = torch.exp(-distances.square() / (2 * sigma**2))
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


def _pad(target: Tensor, radius: int, border: str) -> Tensor:
    """`target` with `radius` more voxels on every side of every spatial axis."""
    if border == "background":
        return torch.nn.functional.pad(target, [radius] * (2 * (target.ndim - 2)))
    for axis in range(2, target.ndim):
        size = target.shape[axis]
        index = torch.arange(-radius, size + radius, device=target.device).clamp(0, size - 1)
        target = target.index_select(axis, index)
    return target


def _sum_along(counts: Tensor, axis: int, kernel_size: int) -> Tensor:
    """Sums of `kernel_size` neighbors along `axis`, which gets `kernel_size - 1` shorter."""
    size = counts.shape[axis] - kernel_size + 1
    total = counts.narrow(axis, 0, size).clone()
    for shift in range(1, kernel_size):
        total += counts.narrow(axis, shift, size)
    return total
