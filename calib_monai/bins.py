"""Bins of confidence: sums that can be added, and from which all calibration numbers and diagrams are computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from calib_monai.arguments import check_whole
from calib_monai.labels import most_probable
from calib_monai.regions import places

SLACK = 1e-2  # by which half precision may leave 0..1
ROUNDING = torch.finfo(torch.float32).eps
MOST_IN_BYTES = 63  # bins whose numbers, those of wrong and of right voxels, fit into an int8


@dataclass(frozen=True)
class Bins:
    """Sums over the voxels whose confidence falls into each of `num_bins` equal bins (lo, hi], the first [0, hi].

    The bins of two sets of voxels can be added. All sums are float64.

    Attributes:
        count: number of voxels, (..., num_bins).
        confidence: sum of their confidences, (..., num_bins).
        correctness: number of them that are right, (..., num_bins).
        total: number of voxels, (...).
    """

    count: Tensor
    confidence: Tensor
    correctness: Tensor
    total: Tensor

    def __add__(self, other: Bins) -> Bins:
        """The bins of the voxels of both; raise ValueError if their bins, classes or devices differ."""
        if self.count.shape != other.count.shape:
            shapes = " and ".join(str(tuple(one.count.shape)) for one in (self, other))
            raise ValueError(f"bins of the shapes {shapes} cannot be added: they must be of the same bins and classes")
        if self.count.device != other.count.device:
            devices = " and ".join(str(one.count.device) for one in (self, other))
            raise ValueError(f"bins on {devices} cannot be added: move one with cpu()")
        return _each(torch.add, self, other)

    def __getitem__(self, index: int) -> Bins:
        """The bins at one place of the first axis."""
        return _each(itemgetter(index), self)

    def in_one(self) -> Bins:
        """All bins as one, (..., 1)."""
        parts = (self.count, self.confidence, self.correctness)
        count, confidence, correctness = (part.sum(dim=-1, keepdim=True) for part in parts)
        return Bins(count, confidence, correctness, self.total)

    @property
    def num_bins(self) -> int:
        """Number of bins."""
        return self.count.shape[-1]

    def mean_confidence(self) -> Tensor:
        """Mean confidence of each bin, (..., num_bins); NaN in an empty bin."""
        return self.confidence / self.count

    def accuracy(self) -> Tensor:
        """Share of right voxels of each bin, (..., num_bins); NaN in an empty bin."""
        return self.correctness / self.count

    def expected_calibration_error(self) -> Tensor:
        """Mean distance between confidence and accuracy, weighted by count, (...); NaN without voxels.

        ECE = sum over bins of count / total * |accuracy - mean confidence|; Naeini et al. 2015, Eq. 3.
        """
        return (self.confidence - self.correctness).abs().sum(dim=-1) / self.total

    def pooled_errors(self, *, debiased: bool = False) -> tuple[Tensor, Tensor]:
        """What each image adds to the calibration error of all images together, and its voxels, (images, ...) each.

        The error is the sum of what they add, divided by the sum of the voxels. In each bin an image has a sum of
        (confidence - correctness). It counts as positive if it has the sign of the sum over all images.

        Chance alone then makes an error, because the sum over all images is never exactly 0. `debiased` takes the sign
        from the *other* images, which are independent of this one. An exact network then has an error of 0 on average,
        however few voxels there are; single values may fall below 0. An error that clearly exceeds chance stays as it
        is, because the sum of the others has its sign. A small error is multiplied by 2 P(the sign is right) - 1 on
        average. Read it as at least about this much, and do not compare a network near chance with a network above it.

        Kumar et al. 2019 (arXiv:1909.10155), Section 5, subtract from the squared error what chance adds, and assume
        that voxels are independent. Voxels of an image err together; images are independent. A bin that only one image
        fills is left out, because its sign is unknown.

        Args:
            debiased: whether the sign is that of the other images.
        """
        gaps, count = self.confidence - self.correctness, self.count
        direction = gaps.sum(dim=0).expand_as(gaps)
        if debiased:
            alone = count.sum(dim=0) == count
            direction = direction - gaps
            # Probabilities are known to the digits of float32; a mean gap below them is 0 and has no sign.
            direction = direction.masked_fill(direction.abs() <= count.sum(dim=0) * ROUNDING, 0)
            gaps, count = gaps.masked_fill(alone, 0), count.masked_fill(alone, 0)
        return (gaps * direction.sign()).sum(dim=-1), count.sum(dim=-1)

    def sum(self) -> Bins:
        """The bins of all sets of voxels along the first axis together."""
        return _each(lambda sums: sums.sum(dim=0), self)

    def cpu(self) -> Bins:
        """The bins on the CPU."""
        return _each(Tensor.cpu, self)

    def to_tensor(self) -> Tensor:
        """All sums in one tensor, (..., 3 * num_bins + 1), which can be added, too."""
        return torch.cat([self.count, self.confidence, self.correctness, self.total.unsqueeze(-1)], dim=-1)

    @classmethod
    def from_tensor(cls, sums: Tensor) -> Bins:
        """The bins from a tensor of `to_tensor`."""
        count, confidence, correctness = sums[..., :-1].chunk(3, dim=-1)
        return cls(count, confidence, correctness, sums[..., -1])

    @classmethod
    def stack(cls, bins: Iterable[Bins]) -> Bins:
        """The bins of several sets of voxels, stacked along a new first axis."""
        return _each(lambda *sums: torch.stack(sums), *bins)

    def to_dict(self) -> dict[str, list[float]]:
        """Plain lists, for a JSON file."""
        return {field.name: getattr(self, field.name).tolist() for field in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Sequence[Any]]) -> Bins:
        """The bins from a dictionary of `to_dict`."""
        return cls(**{name: torch.from_numpy(np.array(value, dtype=np.float64)) for name, value in values.items()})


def top_label_bins(probs: Tensor, labels: Tensor, num_bins: int = 15) -> Bins:
    """Bins of the highest probability of each voxel; a voxel is right if this class is its label.

    Args:
        probs: probabilities of N voxels, (C, N).
        labels: their class indices, (N,).
        num_bins: number of bins.

    Returns:
        Bins without a leading axis.

    Raises:
        ValueError: labels that are no classes, such as ignored ones, or not as many as probabilities, values that are
            no probabilities, or `num_bins` below 1.
    """
    _check(probs, labels, num_bins)
    labels = labels.byte() if labels.dtype == torch.bool else labels  # with which PyTorch does not subtract
    predicted, confidence = most_probable(probs, labels.dtype)
    return _bin(confidence, predicted == labels, num_bins)


def class_bins(probs: Tensor, labels: Tensor, num_bins: int = 15, threshold: float = 0.0) -> Bins:
    """Bins of the probability of each class; a voxel is right if its label is this class.

    Args:
        probs: probabilities of N voxels, (C, N).
        labels: their class indices, (N,).
        num_bins: number of bins.
        threshold: probabilities that are not above it are left out; 0 leaves out none.

    Returns:
        Bins with leading shape (C,).

    Raises:
        ValueError: as `top_label_bins`.
    """
    _check(probs, labels, num_bins)
    return Bins.stack(_bin(*pair, num_bins) for pair in _of_classes(probs, labels, threshold))


def class_errors_of_equal_mass(probs: Tensor, labels: Tensor, num_bins: int = 15, threshold: float = 0.0) -> Tensor:
    """Calibration error of each class over bins with equal numbers of voxels, (C,).

    The probabilities of a class are sorted and cut into bins of n // num_bins voxels; the last bin also takes the rest.
    The error is NaN if no probability is above the threshold.

    Args:
        probs: probabilities of N voxels, (C, N).
        labels: their class indices, (N,).
        num_bins: number of bins; if there are fewer voxels, each voxel has a bin.
        threshold: probabilities that are not above it are left out before sorting; 0 leaves out none.

    Raises:
        ValueError: as `top_label_bins`.
    """
    _check(probs, labels, num_bins)
    return torch.stack([_error_of_equal_mass(*pair, num_bins) for pair in _of_classes(probs, labels, threshold)])


def _check(probs: Tensor, labels: Tensor, num_bins: int) -> None:
    """Raise ValueError if labels (N,) are no classes of probabilities (C, N), or one of these lies outside 0..1."""
    check_whole("num_bins", num_bins, least=1)
    if probs.ndim != 2 or labels.shape != probs.shape[1:]:  # noqa: PLR2004 - (C, N)
        raise ValueError(
            f"probs are {tuple(probs.shape)} and labels {tuple(labels.shape)}; they must be (C, N) and (N,), as "
            "region_voxels gives them"
        )
    if not labels.numel():
        return
    least, most = (extreme.item() for extreme in labels.aminmax())
    if least < 0 or most >= len(probs):
        raise ValueError(
            f"labels are from {least} to {most}, and probs have {len(probs)} classes; leave out ignored voxels, as "
            "region_voxels does that knows them"
        )
    if labels.is_floating_point() and not labels.round().equal(labels):
        wrong = labels[labels.round() != labels][0].item()
        raise ValueError(f"labels hold {wrong:.17g}; they must be whole numbers 0..{len(probs) - 1}")
    low, high = (extreme.item() for extreme in probs.aminmax())
    if not -SLACK <= low <= high <= 1 + SLACK:  # NaN is refused, too
        raise ValueError(f"probs hold values from {low:g} to {high:g}; probabilities lie in 0..1 (apply softmax)")


def _each(function: Callable[..., Tensor], *bins: Bins) -> Bins:
    """The bins whose count, confidence, correctness and total are a function of those of these bins."""
    return Bins(*(function(*(getattr(part, field.name) for part in bins)) for field in fields(Bins)))


def _of_classes(probs: Tensor, labels: Tensor, threshold: float) -> Iterator[tuple[Tensor, Tensor]]:
    """For each class the confidences above a threshold, and 1 if they are right, else 0, (n,) and (n,)."""
    for k, confidence in enumerate(probs):
        right = labels.clone().eq_(k)  # `labels == k` takes ten times as long
        yield (confidence, right) if threshold <= 0 else _above(threshold, confidence, right)


def _above(threshold: float, confidence: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """The confidences above a threshold, and whether they are right."""
    kept = places(confidence > threshold)
    return confidence[kept], right[kept]


def _bin(confidence: Tensor, right: Tensor, num_bins: int) -> Bins:
    """Bins of N voxels; the sums are float64, for float32 loses up to a sixth of an error at 1e7 voxels."""
    # The type's nearest numbers to k / num_bins; linspace is one digit off at some.
    edges = (torch.arange(num_bins + 1, dtype=torch.float64, device=confidence.device) / num_bins).to(confidence.dtype)
    # A product tells the bin but beside an edge, where rounding may; a search for all would take four times as long.
    scaled = confidence * num_bins if confidence.dtype == torch.float64 else confidence.float() * num_bins
    tolerance = 4 * num_bins * torch.finfo(confidence.dtype).eps
    beside = places((scaled - scaled.round()).abs_().le_(tolerance).bool())  # `<=` takes twice as long
    place = scaled.ceil_().to(torch.int8 if num_bins <= MOST_IN_BYTES else torch.int32)  # uint8 takes 7 times as long
    place[beside] = torch.bucketize(confidence[beside], edges).to(place.dtype)
    # The first bin holds a confidence of exactly 0, too; rounding may lift a 1 above the last edge.
    place.sub_(1).clamp_(0, num_bins - 1)
    of_confidence = torch.bincount(place, confidence.double(), minlength=num_bins)
    of_wrong_and_right = torch.bincount(place + right.to(place.dtype) * num_bins, minlength=2 * num_bins)
    wrong, correct = of_wrong_and_right.double().view(2, -1)
    total = torch.tensor(confidence.numel(), dtype=torch.float64, device=confidence.device)
    return Bins(wrong + correct, of_confidence, correct, total)


def _error_of_equal_mass(confidence: Tensor, right: Tensor, num_bins: int) -> Tensor:
    """Mean distance of confidence from accuracy over bins of n // num_bins sorted voxels, a scalar."""
    voxels = len(confidence)
    bins = min(num_bins, voxels)
    if bins == 0:
        return torch.tensor(float("nan"), dtype=torch.float64, device=confidence.device)
    confidence, order = confidence.sort()
    right = right[order]
    del order  # of a large case it takes as much as two channels
    number_right = torch.cat([right.new_zeros(1, dtype=torch.int64), right.cumsum(0, dtype=torch.int64)])
    ends = torch.arange(bins + 1, device=confidence.device) * (voxels // bins)
    ends[-1] = voxels
    # Voxels of one confidence are alike: each is as right as they are on average, whatever their order.
    highest = confidence[(ends - 1).clamp(min=0)]
    first, last = (torch.searchsorted(confidence, highest, right=side) for side in (False, True))
    of_tie = (number_right[last] - number_right[first]).double() / (last - first)
    correctness = (number_right[first] + (ends - first) * of_tie).diff()
    sums = torch.stack([part.sum(dtype=torch.float64) for part in confidence.tensor_split(ends[1:-1].tolist())])
    return (correctness - sums).abs().sum() / voxels
