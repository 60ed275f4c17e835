"""Marginal L1 average calibration error (mL1-ACE), beside cross-entropy and Dice."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from calib_monai.arguments import check_choice, check_number, check_whole
from calib_monai.losses.voxelwise import VoxelwiseLoss

BINNINGS = ("hard", "soft")
SMOOTH = 1e-5  # MONAI's; the second term is 0 where a class has neither label nor probability
LEAST = 0.01  # voxels in a bin that is not empty, as in the authors' code


class ACELoss(VoxelwiseLoss):
    r"""Cross-entropy, Dice, and the mean distance of confidence from accuracy over the bins of each class.

    ```math
    L = -\frac{1}{N} \sum_i \log p_{i, y_i}
        + \frac{1}{B K} \sum_b \sum_k \left( 1 - \frac{2 \sum_{i \in b} p_{ik} y_{ik}}{\sum_{i \in b} (p_{ik} + y_{ik})}
        + \frac{w}{M_{bk}} \sum_m
          \left| \frac{\sum_{i \in b} a_m(p_{ik}) (p_{ik} - y_{ik})}{\sum_{i \in b} a_m(p_{ik})} \right| \right)
    ```

    with probabilities p, labels y (y_i a class, y_ik 0 or 1), N voxels in B images, K classes and w = `penalty_weight`.
    Each class has M equal bins in each image, of which M_bk are not empty. a_m(p) is the share of a voxel in bin m:

    * "hard" bins: 1 in the bin (lo, hi] that holds p, and 0 in all others. The first bin holds 0, too.
    * "soft" bins: the voxel is divided between the two bins whose centers are nearest to p, by linear interpolation.

    The first two terms are MONAI's `DiceCELoss`. The third is mL1-ACE (Barfoot et al. 2024, arXiv:2403.06759, and 2025,
    arXiv:2506.03942).

    Args:
        binning: "hard": the gradient moves the mean confidence of each bin. "soft": it also moves voxels between bins,
            by which the authors found better calibration and a lower Dice.
        num_bins: M.
        penalty_weight: w.
        ignore_index: label of voxels that are left out of every term. An image that has no other voxel is left out,
            too.

    Raises:
        ValueError: an argument has a value that is not allowed here.

    Note:
        As in the authors' configurations the background is a class like the others, and the three terms have equal
        weights. In an image without labels of class k the third term of k is 0, and the mean is over all classes.
        A bin is empty if it holds less than 0.01 voxels. The authors square the probabilities in the denominator of
        Dice; here they are not squared, as in the bundles of `dice_ce`.

    Examples:
        >>> logits, target = torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 4, 4)
        >>> target[..., :2] = 1
        >>> round(float(ACELoss()(logits, target) - ACELoss(penalty_weight=0.0)(logits, target)), 4)
        0.0
    """

    of_images = True

    def __init__(
        self,
        binning: str = "hard",
        num_bins: int = 20,
        penalty_weight: float = 1.0,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(ignore_index)
        check_choice("binning", binning, BINNINGS)
        check_whole("num_bins", num_bins, 1)
        check_number("penalty_weight", penalty_weight)
        self.binning = binning
        self.num_bins = num_bins
        self.penalty_weight = penalty_weight
        self.num_slots = num_bins if binning == "hard" else num_bins + 1

    def of_sums(self, sums: Tensor, images: int, voxels: int) -> Tensor:
        """The cross-entropy, a mean over voxels, plus Dice and mL1-ACE, means over images and classes."""
        log_likelihood, overlap, count, confidence, correct = self.by_class(sums)
        labeled = correct.sum(dim=2)
        dice = 1 - (2 * overlap + SMOOTH) / (confidence.sum(dim=2) + labeled + SMOOTH)
        filled = count >= LEAST
        gaps = (confidence - correct).abs() / count.clamp(min=LEAST) * filled
        errors = gaps.sum(dim=2) / filled.sum(dim=2).clamp(min=1) * labeled.sign()
        return (dice + self.penalty_weight * errors).mean(dim=1).sum() / images - log_likelihood.sum() / voxels

    def sums(self, logits: Tensor, padded: Tensor) -> Tensor:
        """The sums of `binned` over each image, (B, T)."""
        return torch.cat([_sums_in_slots(*each).flatten(1) for each in self.binned(logits, padded)], dim=1)

    def weighted_sums(self, logits: Tensor, padded: Tensor, weights: Tensor) -> Tensor:
        """The same times weights, (B, T), in one sum. To look a weight up costs less than to add to a slot."""
        terms, start = [], 0
        for slots, values, size in self.binned(logits, padded):
            stop = start + slots.shape[1] * size
            if values.requires_grad:
                table = weights[:, start:stop].reshape(*slots.shape[:2], *[1] * (slots.ndim - 3), size)
                terms.append((table.expand(*slots.shape[:-1], size).gather(-1, slots) * values).sum())
            start = stop
        return torch.stack(terms).sum()

    def binned(self, logits: Tensor, padded: Tensor) -> Iterator[tuple[Tensor, Tensor, int]]:
        """What is summed in slots: the slot of each value, the values, and the number of slots.

        First come 1 and p_k if bins are hard, or 1, r and r^2 if they are soft, (B, K, ...) each. The last slot is for
        ignored voxels. Then come log p_y, p_y, 1 and, if bins are soft, r of the label, (B, 1, ...) each. These have
        such slots for each class, and for one more class of ignored voxels.

        Hard bins are slots. A soft slot reaches from the center of a bin to the next center: M p = s + r - 1/2 in
        slot s, and the shares of the voxel are r in bin s and 1 - r in bin s - 1. Slot 0 lies below all centers, slot M
        above.
        """
        classes, size = logits.shape[1], self.num_slots + 1
        labels = padded.long().clamp_(max=classes)
        if self.ignore_index is not None:  # the logits of an ignored voxel need not be finite
            logits = logits.masked_fill(labels == classes, 0)
        log_probs = logits.log_softmax(dim=1)
        log_prob = log_probs.gather(1, labels.clamp(max=classes - 1))
        prob, one = log_prob.exp(), torch.ones_like(log_prob)
        slots, values = self.slots_and_values(log_probs.exp())
        if self.ignore_index is not None:
            slots = slots.masked_fill(labels == classes, self.num_slots)
        yield from ((slots, each, size) for each in (one.expand_as(slots), *values))
        slots, values = self.slots_and_values(prob)
        slots += labels * size
        yield from ((slots, each, size * (classes + 1)) for each in (log_prob, prob, one, *values[:-1]))

    def slots_and_values(self, probs: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The slots of probabilities p, int64, and p, or r and r^2 if bins are soft."""
        if self.binning == "hard":  # operations in place, for new tensors of this size are slow
            return (self.num_bins * probs.detach()).ceil_().sub_(1).long().clamp_(0, self.num_bins - 1), [probs]
        position = (self.num_bins * probs).add_(0.5)
        slots = position.detach().long().clamp_(0, self.num_bins)
        rest = position.frac_()
        return slots, [rest, rest * rest]  # the slope of `square` takes a power

    def by_class(self, sums: Tensor) -> list[Tensor]:
        """The sums of log p_y and p_y of each class, (B, K), and of a, a p_k and a y_k in each bin, (B, K, M)."""
        size = self.num_slots + 1
        of_voxels, of_labels = (2, 3) if self.binning == "hard" else (3, 4)
        classes = (sums.shape[1] // size - of_labels) // (of_voxels + of_labels)
        stop = of_voxels * classes * size
        count, confidence, *squares = sums[:, :stop].reshape(-1, of_voxels, classes, size)[..., :-1].unbind(dim=1)
        labeled = sums[:, stop:].reshape(-1, of_labels, classes + 1, size)[:, :, :-1, :-1]
        log_prob, prob, correct, *rests_of_label = labeled.unbind(dim=1)
        bins = [count, confidence, correct]
        if self.binning == "soft":
            bins = self.in_soft_bins(count, confidence, squares[0], correct, rests_of_label[0])
        return [log_prob.sum(dim=2), prob.sum(dim=2), *bins]

    def in_soft_bins(
        self, count: Tensor, rests: Tensor, squares: Tensor, correct: Tensor, rests_of_label: Tensor
    ) -> list[Tensor]:
        """The sums of a, a p_k and a y_k in bins, (B, K, M), of 1, r, r^2, y_k, r y_k in slots, (B, K, M + 1)."""
        start = torch.arange(self.num_slots, device=count.device) - 0.5
        slots = torch.stack([count, (start * count + rests) / self.num_bins, correct])
        upper = torch.stack([rests, (start * rests + squares) / self.num_bins, rests_of_label])
        upper = torch.cat([slots[..., :1], upper[..., 1:-1], torch.zeros_like(upper[..., -1:])], dim=-1)
        return list(upper[..., :-1] + (slots - upper)[..., 1:])


def _sums_in_slots(slots: Tensor, values: Tensor, size: int) -> Tensor:
    """The sums of the values of each image in each slot 0..size - 1, (B, K, size).

    Each row is summed first, so that float32 keeps its digits.

    Args:
        slots: (B, K, H, W[, D]), int64.
        values: (B, K, H, W[, D]).
        size: number of slots.
    """
    rows = values.new_zeros(*slots.shape[:-1], size).scatter_add(-1, slots, values)
    return rows.flatten(2, -2).sum(dim=2)
