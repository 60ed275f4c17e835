"""Marginal L1 average calibration error (mL1-ACE), beside cross-entropy and Dice."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from calib_monai.arguments import check_choice, check_number, check_whole
from calib_monai.losses.voxelwise import VoxelwiseLoss, dice_loss

BINNINGS = ("hard", "soft")
LEAST_COUNT = 0.01  # voxels in a bin that is not empty, as in the authors' code


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
        binning: "hard": the gradient moves the mean confidence of each bin. "soft": it also moves voxels between bins.
            The authors report better calibration and a lower Dice with it.
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

    def sums(self, logits: Tensor, padded: Tensor) -> Sequence[Tensor]:
        """The sums over the voxels of each image, and over those in each slot of each class k.

        A hard slot is a bin. A soft slot reaches from the center of a bin to the next center: M p = s + r - 1/2 in slot
        s, and the shares of the voxel are r in bin s and 1 - r in bin s - 1. Slot 0 lies below all centers, slot M
        above.

        Returns:
            The sum of -log p_y, (B, 1).
            The number of voxels whose p_k lies in the slot, (B, K, S), as all that follow. S is the number of slots: M
                if bins are hard, M + 1 if they are soft.
            The sum of p_k; if bins are soft, of r.
            If bins are soft, the sum of r^2.
            The number of voxels of class k whose p_y lies in the slot.
            The sum of their p_y; if bins are soft, of their r.
        """
        classes, size = logits.shape[1], self.num_slots + 1  # the last class and slot are of ignored voxels
        labels = padded.long().clamp_(max=classes)
        ignored = None if self.ignore_index is None else labels == classes
        if ignored is not None:  # the logits of an ignored voxel need not be finite
            logits = logits.masked_fill(ignored, 0)
        log_probs = logits.log_softmax(dim=1)
        likelihood = log_probs.gather(1, labels.clamp(max=classes - 1))
        slots, values = self.slots_and_values(log_probs.exp())
        slots_of_label, values_of_label = self.slots_and_values(likelihood.exp())
        if ignored is not None:
            slots, likelihood = slots.masked_fill_(ignored, self.num_slots), likelihood.masked_fill(ignored, 0)
        one = torch.ones_like(likelihood)
        of_voxels = [_in_slots(slots, each, size) for each in (one.expand_as(slots), *values)]
        slots_of_label += labels * size
        of_labels = [_in_slots(slots_of_label, each, size * (classes + 1)) for each in (one, values_of_label[0])]
        of_labels = [each.reshape(-1, classes + 1, size)[:, :classes] for each in of_labels]
        return [-likelihood.flatten(2).sum(dim=2), *(each[..., :-1] for each in (*of_voxels, *of_labels))]

    def slots_and_values(self, probs: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The slots of probabilities p, int64, and p, or r and r^2 if bins are soft."""
        if self.binning == "hard":  # operations in place, for new tensors of this size are slow
            return (self.num_bins * probs.detach()).ceil_().sub_(1).long().clamp_(0, self.num_bins - 1), [probs]
        position = (self.num_bins * probs).add_(0.5)
        slots = position.detach().long().clamp_(0, self.num_bins)
        rest = position.frac_()
        return slots, [rest, rest * rest]  # the slope of `square` takes a power

    def of_image(self, *sums: Tensor) -> Tensor:
        """1 - Dice and mL1-ACE of each class, (B, K)."""
        count, confidence, correct, overlap = sums if self.binning == "hard" else self.in_bins(*sums)
        labeled, total = correct.sum(dim=2), (confidence + correct).sum(dim=2)
        filled = count >= LEAST_COUNT
        gaps = (confidence - correct).abs() / count.clamp(min=LEAST_COUNT) * filled
        errors = gaps.sum(dim=2) / filled.sum(dim=2).clamp(min=1) * labeled.sign()
        return dice_loss(total - 2 * overlap.sum(dim=2), total) + self.penalty_weight * errors

    def in_bins(self, count: Tensor, r: Tensor, square: Tensor, correct: Tensor, r_of_label: Tensor) -> list[Tensor]:
        """The sums of a, a p_k and a y_k in soft bins, (B, K, M), and of p_k y_k in slots, (B, K, M + 1).

        Args:
            count: the sums of 1 in slots, (B, K, M + 1), as all others.
            r: of r.
            square: of r^2.
            correct: of y_k.
            r_of_label: of r y_k.
        """
        slot = torch.arange(self.num_slots, device=count.device)
        start = slot - 0.5
        whole = torch.stack([count, (start * count + r) / self.num_bins, correct])
        above = torch.stack([r, (start * r + square) / self.num_bins, r_of_label])
        bins = torch.zeros_like(whole[..., 1:]).index_add(-1, slot.clamp(max=self.num_bins - 1), above)
        bins = bins.index_add(-1, (slot - 1).clamp(min=0), whole - above)
        return [*bins, (start * correct + r_of_label) / self.num_bins]


def _in_slots(slots: Tensor, values: Tensor, size: int) -> Tensor:
    """The sums of the values of each image in each slot 0..size - 1, (B, K, size).

    Each row is summed first, so that float32 keeps its digits.

    Args:
        slots: (B, K, H, W[, D]), int64.
        values: (B, K, H, W[, D]).
        size: number of slots.
    """
    rows = values.new_zeros(*slots.shape[:-1], size).scatter_add_(-1, slots, values)
    return rows.flatten(2, -2).sum(dim=2)
