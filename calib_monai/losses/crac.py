"""Class and region-adaptive constraints (CRaC): an augmented Lagrangian of NACL's constraint."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from calib_monai.lagrangian import PENALTIES, Multipliers, Penalty, ViolationSums
from calib_monai.losses.pieces import pieces
from calib_monai.losses.scores import Scores, Terms
from calib_monai.losses.uncompiled import uncompiled
from calib_monai.losses.voxelwise import VoxelwiseLoss, check_border, checked_choice
from calib_monai.priors import check_prior, inner, no_class, window_prior


class CRaCLoss(VoxelwiseLoss):
    r"""Cross-entropy plus a penalty of each logit's distance from its class's share in the neighborhood.

    .. math::
        L = -\frac{1}{N} \sum_i \log p_{i, y_i}
            + \frac{1}{2 N K} \sum_i \sum_k P(|s_i \tau_{ik} - l_{ik}|; \lambda_{r_i k}, \rho_{r_i k})

    with logits l, their softmax p, labels y, N voxels, K classes, tau the "mean" prior of
    `neighborhood_prior`, r_i the region of voxel i, "outer" where its neighborhood holds more than one class
    and "inner" where not, s_i = 1 in the outer and `target_scale` in the inner one, and P a penalty of
    `calib_monai.lagrangian` with a multiplier lambda and a coefficient rho for each region and class; CRaC
    (Murugesan et al. 2024, arXiv:2403.12364), whose constraint is Eq. 3.

    `multipliers` holds lambda and rho. They stay as they are until its `update` is called with the
    `violation_sums` of a validation set, once an epoch; `calib_monai.handlers.MultiplierUpdate` does so.

    Args:
        num_classes: number of classes K, background included.
        kernel_size: side of the neighborhood in voxels, odd.
        border: what lies beyond the edge of the image: "replicate", the nearest voxel, or "background", class 0.
        penalty: "phr", "p2" or "p3", as `calib_monai.lagrangian.penalties`.
        target_scale: the logit that a class is drawn to where it is the only one around, not 0. The paper has
            1; its experiments were run with 5.
        multiplier_init: each lambda at first.
        coefficient_init: each rho at first.
        growth: what a rho is multiplied by where violations stay.
        growth_interval: updates from one look at rho to the next.
        sufficient_decrease: violations stay where their mean is above this share of the mean before.
        coefficient_max: no rho grows beyond it.
        ignore_index: label of voxels that are left out of every term and every neighborhood.

    Raises:
        ValueError: an argument outside what is listed here.

    Note:
        As in the authors' code the distance is absolute, and the mean is one over 2K channels, of which a
        voxel's K in the other region are zero. Their test for the outer region is always zero but for
        rounding, and finds 83 to 93 % of it; here it is what the paper says. Their border is "background".

    Example:
        >>> loss = CRaCLoss(num_classes=2)
        >>> logits, target = torch.randn(1, 2, 8, 8), torch.zeros(1, 1, 8, 8)
        >>> _ = loss(logits, target)
        >>> loss.multipliers.update(loss.violation_sums(logits, target))
    """

    def __init__(
        self,
        num_classes: int,
        kernel_size: int = 3,
        border: str = "replicate",
        penalty: str = "phr",
        target_scale: float = 1.0,
        multiplier_init: float = 1e-6,
        coefficient_init: float = 0.1,
        growth: float = 1.2,
        growth_interval: int = 10,
        sufficient_decrease: float = 0.9,
        coefficient_max: float = 10.0,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(ignore_index)
        check_prior("mean", kernel_size, 1.0, border)
        check_border(border, ignore_index)
        if not (isinstance(target_scale, int | float) and math.isfinite(target_scale) and target_scale > 0):
            raise ValueError(f"target_scale is {target_scale!r}; it must be a finite number above 0")
        self.num_classes = num_classes
        self.kernel_size = kernel_size
        self.border = border
        self.penalty = checked_choice("penalty", penalty, tuple(PENALTIES))
        self.target_scale = target_scale
        self.radius = kernel_size // 2
        self.multipliers = Multipliers(
            num_classes,
            multiplier_init,
            coefficient_init,
            growth=growth,
            growth_interval=growth_interval,
            sufficient_decrease=sufficient_decrease,
            coefficient_max=coefficient_max,
        )

    @uncompiled  # as what it extends
    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss, a scalar; 0 where every voxel is ignored.

        Args:
            logits: (B, C, H, W[, D]), any float dtype.
            target: class indices, (B, 1, H, W[, D]), integer or float dtype.

        Raises:
            ValueError: what `class_labels` refuses, or another number of classes than `num_classes`.
        """
        loss: Tensor = super().forward(logits, target)
        if loss.requires_grad:
            self.multipliers.trained.fill_(True)  # noqa: FBT003 - the value it is filled with
        return loss

    def padded_labels(self, logits: Tensor, target: Tensor) -> Tensor:
        """The labels as `terms` takes them, with `radius` more voxels on every side, (B, 1, ...).

        Raises:
            ValueError: what `class_labels` refuses, or another number of classes than `num_classes`.
        """
        padded = super().padded_labels(logits, target)
        if logits.shape[1] != self.num_classes:
            raise ValueError(f"logits have {logits.shape[1]} channels; num_classes is {self.num_classes}")
        return padded

    def weight(self, num_classes: int) -> float:
        """The weight of each class's term: one over the channels, one a region and class."""
        return 1 / (2 * num_classes)

    def terms(self, scores: Scores, padded: Tensor) -> Terms:
        """The penalty of the distance from the prior, (B, C, H, W[, D])."""
        difference, regions = self._difference(scores.logits, padded)
        value, slope = self._penalty(difference.abs(), regions)
        return Terms(value, by_logits=slope.mul_(difference.sign_()))

    @torch.no_grad()
    def violation_sums(self, logits: Tensor, target: Tensor) -> ViolationSums:
        """What `multipliers.update` needs of a part of the validation set, no gradient; parts add up.

        Args:
            logits: (B, C, H, W[, D]), any float dtype.
            target: class indices, (B, 1, H, W[, D]), integer or float dtype.

        Raises:
            ValueError: as `forward`.
        """
        padded = self.padded_labels(logits, target)
        first, *others = (
            self._sums(part, labels) for _, part, labels in pieces(logits.as_subclass(Tensor), padded, self.radius)
        )
        return sum(others, start=first)

    def _sums(self, logits: Tensor, padded: Tensor) -> ViolationSums:
        """The sums of a piece, without what is ignored."""
        difference, regions = self._difference(logits, padded)
        violation = difference.abs_()
        slope = self._penalty(violation, regions).slope
        if self.ignore_index is not None:
            ignored = inner(padded, self.radius) == no_class(padded.dtype)
            regions = tuple(region.masked_fill(ignored, 0) for region in regions)
            violation, slope = violation.masked_fill(ignored, 0), slope.masked_fill(ignored, 0)
        return ViolationSums.of(violation, slope, regions)

    def _difference(self, logits: Tensor, padded: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """By what each logit exceeds its target, (B, C, ...), and where each region is."""
        prior = window_prior(
            padded, self.num_classes, "mean", self.kernel_size, 1.0, complete=self.ignore_index is None
        ).to(logits.dtype)
        regions = self.regions(prior)
        if self.target_scale != 1:
            uniform, mixed = regions
            prior.mul_(torch.add(mixed, uniform, alpha=self.target_scale))
        return torch.sub(logits, prior, out=prior), regions  # in the memory of the prior

    def regions(self, prior: Tensor) -> tuple[Tensor, ...]:
        """1 where a voxel lies in the region and 0 where not, for "inner" and "outer", each (B, 1, ...).

        Args:
            prior: share of each class in the neighborhood, (B, C, ...); one that is alone has exactly 1.
        """
        uniform = prior.amax(dim=1, keepdim=True).floor_()
        return uniform, 1 - uniform

    def _penalty(self, violation: Tensor, regions: tuple[Tensor, ...]) -> Penalty:
        """The penalty of violations (B, C, ...), none negative, with the multipliers of their regions."""
        axes = [1, -1, *[1] * (violation.ndim - 2)]
        multiplier, coefficient = (
            # Products are a sixth of what a choice by a mask takes on a CPU, and exact with 0 and 1.
            torch.mul(regions[0], rows[0].view(axes)).addcmul_(regions[1], rows[1].view(axes))
            for rows in (self.multipliers.multiplier.to(violation), self.multipliers.coefficient.to(violation))
        )
        return PENALTIES[self.penalty](violation, multiplier, coefficient, signed=False)
