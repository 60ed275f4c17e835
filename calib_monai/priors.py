"""Neighborhood priors: the share of each class around each voxel of a label map."""

from __future__ import annotations

import math
from functools import reduce

import torch
from torch import Tensor

from calib_monai.arguments import check_choice, check_label_shape, check_number, check_odd, check_whole
from calib_monai.labels import label_dtype, no_class

PRIORS = ("mean", "gaussian", "max", "min", "median", "mode")
BORDERS = ("replicate", "background")
LEAST_SIGMA = 0.3  # in voxels; below it the nearest neighbor weighs so little that float32 loses it beside the center


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
    window); NACL (Murugesan et al. 2023, arXiv:2303.06268), Eq. 10. "gaussian": the voxels are
    weighted by a Gaussian whose center is replaced by the sum of all others, so that the voxel itself
    weighs one half whatever `sigma` is; SVLS (Islam and Glocker 2021, arXiv:2104.05788), Eq. 2. The
    others are one-hot: "max" and "min" the largest and smallest class of the window, "median" the
    class in the middle of its sorted labels, "mode" the most frequent one, the smallest of several;
    NACL, Eq. 12-15.

    Args:
        target: class indices, (B, 1, H, W[, D]), integer or float dtype. A label outside 0..C-1 belongs
            to no class and counts in no window.
        num_classes: number of classes C, background included.
        kind: one of `PRIORS`.
        kernel_size: side of the window in voxels, odd.
        sigma: standard deviation of the "gaussian" weights in voxels, at least 0.3.
        border: label beyond the edge: "replicate", that of the nearest voxel; "background", class 0.

    Returns:
        The prior, (B, C, H, W[, D]), float32, non-negative. It sums to one over C, or to 0 where no label of the
            window is a class.

    Raises:
        ValueError: a `target` of another shape, unknown `kind` or `border`, a `kernel_size` that is even or
            below 1, a `sigma` below 0.3, or a `num_classes` below 1.

    Note:
        The authors' code pads the label map with zeros (`border="background"`), for "gaussian" it
        replicates, and for sizes other than 3 reads the element [1, 1] of the kernel as its center.

    Examples:
        >>> target = torch.tensor([[[[0, 0, 1], [0, 0, 1], [0, 0, 1]]]])
        >>> neighborhood_prior(target, num_classes=2)[0, :, 1, 1]
        tensor([0.6667, 0.3333])
    """
    check_prior(kind, kernel_size, sigma, border)
    check_label_shape(target)
    check_whole("num_classes", num_classes, 1)
    target = target.as_subclass(Tensor)
    target = target if target.is_floating_point() else target.long()
    labels = target.to(label_dtype(num_classes))
    known = (target >= 0) & (target < num_classes) & (target == labels)
    labels = labels.masked_fill(~known, no_class(labels.dtype))
    return window_prior(pad_labels(labels, kernel_size // 2, border), num_classes, kind, kernel_size, sigma)


def pad_labels(target: Tensor, radius: int, border: str) -> Tensor:
    """`target` with `radius` more voxels on every side of every spatial axis, as `border` says."""
    if radius == 0:
        return target
    padded = torch.nn.functional.pad(target, [radius] * (2 * (target.ndim - 2)))
    if border == "replicate":
        for axis in range(2, target.ndim):
            last = padded.shape[axis] - radius
            padded.narrow(axis, 0, radius).copy_(padded.narrow(axis, radius, 1))
            padded.narrow(axis, last, radius).copy_(padded.narrow(axis, last - 1, 1))
    return padded


def inner(padded: Tensor, radius: int) -> Tensor:
    """`padded` without its margin of `radius` voxels."""
    for axis in range(2, padded.ndim):
        padded = padded.narrow(axis, radius, padded.shape[axis] - 2 * radius)
    return padded


def window_prior(
    padded: Tensor, num_classes: int, kind: str, kernel_size: int, sigma: float, *, complete: bool = False
) -> Tensor:
    """The prior of the voxels of a padded label map whose windows lie inside it.

    Args:
        padded: class indices or `no_class`, (B, 1, H + k - 1, W + k - 1[, D + k - 1]) with k =
            `kernel_size`, in an integer type.
        num_classes: number of classes C.
        kind: one of `PRIORS`.
        kernel_size: side of the window in voxels.
        sigma: standard deviation of the "gaussian" weights in voxels.
        complete: True saves work if each voxel is known to belong to a class.

    Returns:
        The prior, (B, C, H, W[, D]), float32.
    """
    if kind in ("max", "min"):
        return _one_hot(_extreme(padded, kind, kernel_size), num_classes).float()
    one_hot = _one_hot(padded, num_classes)
    if kernel_size == 1:
        return one_hot.float()
    if kind == "gaussian":
        shares = _smoothed(one_hot, kernel_size, sigma)
        return shares if complete else _normalized(shares)
    counts = _class_counts(one_hot, kernel_size)
    if kind == "mean":
        shares = counts.float()
        return shares.div_(_voxels(padded, kernel_size)) if complete else _normalized(shares)
    chosen = _median(counts) if kind == "median" else _mode(counts, _voxels(padded, kernel_size))
    return _one_hot(chosen, num_classes).float()


def check_prior(kind: str, kernel_size: int, sigma: float, border: str) -> None:
    """Raise ValueError if `neighborhood_prior` could not use these arguments."""
    check_choice("prior", kind, PRIORS)
    check_choice("border", border, BORDERS)
    check_odd("kernel_size", kernel_size)
    check_number("sigma", sigma, LEAST_SIGMA)


def _voxels(padded: Tensor, kernel_size: int) -> int:
    """Number of voxels in a window."""
    return int(kernel_size ** (padded.ndim - 2))


def _line(kernel_size: int, sigma: float) -> list[float]:
    """A Gaussian along one axis, 1 at its center."""
    radius = kernel_size // 2
    return [math.exp(-((place - radius) ** 2) / (2 * sigma**2)) for place in range(kernel_size)]


def _class_counts(one_hot: Tensor, kernel_size: int) -> Tensor:
    """Number of voxels of each class in each window, in the smallest integer type that holds a full one."""
    few = _voxels(one_hot, kernel_size) <= torch.iinfo(torch.uint8).max
    counts = one_hot.to(torch.uint8 if few else torch.int32).flatten()
    for axis in range(2, one_hot.ndim):
        first, second, *others = _shifted(counts, one_hot.stride(axis), kernel_size)
        counts = reduce(Tensor.add_, others, first + second)
    return _windows(counts, one_hot, kernel_size)


def _smoothed(one_hot: Tensor, kernel_size: int, sigma: float) -> Tensor:
    """The classes weighted as "gaussian" says, axis by axis.

    With g the Gaussian that is 1 at its center and n the sum of its other elements, the kernel is
    (g + n - 1 at the center) / 2n, and g is a product of lines.
    """
    radius, line = kernel_size // 2, _line(kernel_size, sigma)
    neighbors = sum(line) ** (one_hot.ndim - 2) - 1
    sums = center = one_hot.float().mul_(0.5 / neighbors).flatten()
    for axis in range(2, one_hot.ndim):
        stride = one_hot.stride(axis)
        shifted = _shifted(sums, stride, kernel_size)
        sums = shifted[radius]
        for step in range(1, radius + 1):
            ends = shifted[radius - step] + shifted[radius + step]
            sums = torch.add(sums, ends, alpha=line[radius + step], out=ends)
        center = _shifted(center, stride, kernel_size)[radius]
    return _windows(sums.add_(center, alpha=neighbors - 1), one_hot, kernel_size)


def _shifted(flat: Tensor, stride: int, kernel_size: int) -> list[Tensor]:
    """`kernel_size` views of flat values, each beginning `stride` later than the one before.

    What is added up this way is one run through memory, whatever the axis; at the far ends of the axes
    it mixes what does not belong together, and `_windows` leaves these out.
    """
    size = flat.numel() - (kernel_size - 1) * stride
    return [flat.narrow(0, shift * stride, size) for shift in range(kernel_size)]


def _windows(sums: Tensor, padded: Tensor, kernel_size: int) -> Tensor:
    """Flat sums over the windows that begin at each voxel, as a map of the windows inside `padded`."""
    inside = [size - kernel_size + 1 for size in padded.shape[2:]]
    return sums.as_strided([*padded.shape[:2], *inside], padded.stride())


def _normalized(shares: Tensor) -> Tensor:
    """Shares divided by their sum over the classes, unless it is 0."""
    return shares / shares.sum(dim=1, keepdim=True).clamp_(min=torch.finfo(shares.dtype).tiny)


def _one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """1 at the class of each voxel and 0 at the others, (B, C, ...), uint8, contiguous."""
    classes = torch.arange(num_classes, dtype=labels.dtype, device=labels.device).view(1, -1, *[1] * (labels.ndim - 2))
    if labels.dtype == torch.uint8:
        # a ^ b is 0 where a = b; comparisons, whose result is bool, take five times as long on a CPU.
        return (labels ^ classes).clamp_(max=1).bitwise_xor_(1).contiguous()
    return (labels == classes).to(torch.uint8).contiguous()


def _extreme(padded: Tensor, kind: str, kernel_size: int) -> Tensor:
    """The largest or smallest class of each window, `no_class` where it holds none, (B, 1, ...)."""
    # Adding one makes no_class, the largest number there is, the smallest.
    values, choose = (padded + 1, torch.maximum) if kind == "max" else (padded, torch.minimum)
    for axis in range(2, padded.ndim):
        size = values.shape[axis] - kernel_size + 1
        values = reduce(choose, (values.narrow(axis, shift, size) for shift in range(kernel_size)))
    return values - 1 if kind == "max" else values


def _median(counts: Tensor) -> Tensor:
    """The class in the middle of the sorted labels of each window, the lower of two, (B, 1, ...)."""
    up_to = torch.empty_like(counts)
    up_to[:, 0] = counts[:, 0]
    for label in range(1, counts.shape[1]):
        torch.add(up_to[:, label - 1], counts[:, label], out=up_to[:, label])
    totals = up_to[:, -1:]
    half = totals - totals // 2
    # The median is the number of classes below it: those up to which there is less than half.
    below = (half - torch.minimum(up_to, half)).clamp_(max=1)
    median = below.sum(dim=1, keepdim=True, dtype=label_dtype(counts.shape[1]))
    return median.masked_fill_(totals == 0, no_class(median.dtype))


def _mode(counts: Tensor, voxels: int) -> Tensor:
    """The most frequent class of each window of so many voxels, the smallest of several, (B, 1, ...)."""
    num_classes = counts.shape[1]
    # One number tells both, first the count, then how small the class is.
    fits = (voxels + 1) * num_classes <= torch.iinfo(counts.dtype).max
    counts = counts if fits else counts.int()
    smallness = torch.arange(num_classes - 1, -1, -1, dtype=counts.dtype, device=counts.device)
    ranks = counts * num_classes + smallness.view(1, -1, *[1] * (counts.ndim - 2))
    highest = ranks.amax(dim=1, keepdim=True)
    mode = (num_classes - 1 - highest % num_classes).to(label_dtype(num_classes))
    return mode.masked_fill_(highest < num_classes, no_class(mode.dtype))
