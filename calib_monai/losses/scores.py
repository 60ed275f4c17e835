"""Scores: what a network says at each voxel, in the forms that losses are written in."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor


class Terms(NamedTuple):
    """Terms of a loss, one for each class at each voxel, and their slopes.

    All are (B, C, H, W[, D]); `value` may be (B, 1, H, W[, D]), summed over the classes. A slope is the derivative of
    `value` with respect to that member of `Scores` from which it was computed; one that is missing is zero. In
    `by_log_probs` a multiple of p, the same for all classes of a voxel, may be left out: the softmax takes it away.
    """

    value: Tensor
    by_logits: Tensor | None = None
    by_gaps: Tensor | None = None
    by_log_probs: Tensor | None = None


class Scores:
    """Logits, their gaps, probabilities and log-probabilities, each (B, C, H, W[, D]).

    A loss computes its terms from these, with their slopes; `slope` takes the slopes back to the logits.

    Args:
        logits: float32 or float64.

    Attributes:
        logits: as given.
        log_sums: log sum_k exp(l_k - max_j l_j), (B, 1, H, W[, D]).
    """

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        self._largest = logits.amax(dim=1, keepdim=True)
        self._exponentials = (logits - self._largest).exp_()
        self._sums = self._exponentials.sum(dim=1, keepdim=True)
        self.log_sums = self._sums.log()

    def gaps(self, beyond: float = 0.0) -> Tensor:
        """max_j l_j - l_k - beyond: by how much more than that each logit lies below the largest of its voxel."""
        return self._largest - beyond - self.logits

    @cached_property
    def probs(self) -> Tensor:
        """p, the softmax of the logits."""
        return self._exponentials / self._sums

    @property
    def from_largest(self) -> Tensor:
        """l_k - max_j l_j = log p_k + `log_sums`, in memory of its own, which the caller may overwrite."""
        return self.logits - self._largest

    @property
    def log_probs(self) -> Tensor:
        """The logarithm of p, in memory of its own, which the caller may overwrite."""
        return self.from_largest.sub_(self.log_sums)

    def cross_entropy(self, labels: Tensor) -> Tensor:
        """-log p_y of each voxel, (B, 1, H, W[, D]), from class indices y of that shape, int64."""
        return (self._largest - self.logits.gather(1, labels)).add_(self.log_sums)

    def slope(self, terms: Terms, weight: float, labels: Tensor | None, scale: float, out: Tensor) -> Tensor:
        """d(weight sum of `terms` + scale sum of `cross_entropy(labels)`) / d l, written to `out`.

        Args:
            terms: as a loss made them from these scores.
            weight: theirs.
            labels: class indices, (B, 1, H, W[, D]), int64; None leaves the cross-entropy out.
            scale: the weight of the cross-entropy.
            out: (B, C, H, W[, D]).
        """
        # d log p_k / d l_j = [j = k] - p_j
        of_probs: Tensor | float = 0.0 if labels is None else scale
        if terms.by_log_probs is not None:
            of_probs = of_probs - weight * terms.by_log_probs.sum(dim=1, keepdim=True)
        slope = torch.mul(self._exponentials, of_probs / self._sums, out=out)
        if terms.by_log_probs is not None:
            slope.add_(terms.by_log_probs, alpha=weight)
        if terms.by_logits is not None:
            slope.add_(terms.by_logits, alpha=weight)
        if terms.by_gaps is not None:
            # d gap_k / d l_j = [j is the largest] - [j = k]; equally large logits share alike.
            largest = self._exponentials.floor()  # exp(0) at the largest, less elsewhere
            share = terms.by_gaps.sum(dim=1, keepdim=True).div_(largest.sum(dim=1, keepdim=True))
            slope.addcmul_(largest, share, value=weight).sub_(terms.by_gaps, alpha=weight)
        if labels is not None:
            slope.scatter_add_(1, labels, slope.new_full((), -scale).expand(labels.shape))
        return slope
