"""Multipliers: one for each region and class, updated on a validation set."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from calib_monai.arguments import check_choice, check_number, check_whole, shown_arguments

AREAS = ("inner", "outer")
AVERAGES = ("all", "region")
BOTH = "class and region"
SHARES = (BOTH, "class", "region")  # what each multiplier is of


@dataclass(frozen=True)
class ViolationSums:
    """Sums over the voxels of each region: their number, their violations, the slopes of their penalties.

    The sums of two sets of voxels add up to those of both. All are (R, C) for R regions and C classes, float64.

    Attributes:
        count: number of voxels of the region, the same for each class.
        violation: sum of their violations.
        slope: sum of the slopes of their penalties.
    """

    count: Tensor
    violation: Tensor
    slope: Tensor

    @classmethod
    def of(cls, violation: Tensor, slope: Tensor, regions: tuple[Tensor, ...]) -> ViolationSums:
        """The sums of some voxels.

        Args:
            violation: of the constraint of each class, (B, C, ...).
            slope: of its penalty, (B, C, ...).
            regions: 1 where a voxel belongs to the region and 0 where not, each (B, 1, ...), float.
        """
        axes = [0, *range(2, violation.ndim)]
        of_regions = [
            torch.stack([(values * region).sum(axes, dtype=torch.float64) for region in regions])
            for values in (torch.ones_like(violation), violation, slope)
        ]
        return cls(*of_regions)

    def shared(self, of: str) -> ViolationSums:
        """The sums for shared multipliers: "class" adds up the regions, "region" adds up the classes."""
        tensor = self.to_tensor()
        return ViolationSums.from_tensor(tensor.sum(dim=1 if of == "class" else 2, keepdim=True).expand_as(tensor))

    def __add__(self, other: ViolationSums) -> ViolationSums:
        """The sums over the voxels of both."""
        return ViolationSums.from_tensor(self.to_tensor() + other.to_tensor())

    def to(self, device: torch.device | str) -> ViolationSums:
        """The same on a device."""
        return ViolationSums.from_tensor(self.to_tensor().to(device))

    def to_tensor(self) -> Tensor:
        """All sums in one tensor that adds as they do, (3, R, C)."""
        return torch.stack([getattr(self, field.name) for field in fields(self)])

    @classmethod
    def from_tensor(cls, sums: Tensor) -> ViolationSums:
        """The sums that `to_tensor` put together."""
        return cls(*sums)


class Multipliers(nn.Module):
    """Multipliers and penalty coefficients of each region and class.

    They are buffers, and so is all that their next update depends on: a checkpoint continues where it was written.

    Args:
        num_classes: number of classes C, background included.
        multiplier_init: initial value of each multiplier.
        coefficient_init: initial value of each coefficient.
        multiplier_min: lower limit of the multipliers from the first update on; the initial value may be lower.
        multiplier_max: their upper limit.
        growth: factor by which a coefficient grows where violations persist, at least 1.
        growth_interval: coefficients may grow at each `growth_interval`-th update.
        sufficient_decrease: violations persist if their mean exceeds this share of the previous mean.
        coefficient_max: upper limit of the coefficients.
        of: what has a multiplier and a coefficient of its own: "class and region", each class in each region; "class",
            each class, whose regions share them; "region", each region, whose classes share them.

    Raises:
        ValueError: an argument is negative or not finite, or limits do not fit together.

    Attributes:
        multiplier: (2, C), by region (`AREAS`) and class.
        coefficient: (2, C).
        violation: mean violation at the last update, (2, C), infinite before the first.
        updates: number of updates so far.
    """

    multiplier: Tensor
    coefficient: Tensor
    violation: Tensor
    updates: Tensor

    def __init__(
        self,
        num_classes: int,
        multiplier_init: float = 1e-6,
        coefficient_init: float = 0.1,
        multiplier_min: float = 1e-6,
        multiplier_max: float = 1e6,
        growth: float = 1.2,
        growth_interval: int = 10,
        sufficient_decrease: float = 0.9,
        coefficient_max: float = 10.0,
        of: str = BOTH,
    ) -> None:
        super().__init__()
        check_choice("of", of, SHARES)
        check_whole("num_classes", num_classes, least=2)
        check_number("multiplier_min", multiplier_min)
        check_number("multiplier_max", multiplier_max, least=multiplier_min)
        check_number("multiplier_init", multiplier_init, most=multiplier_max)
        check_number("coefficient_init", coefficient_init)
        check_number("growth", growth, least=1)
        check_whole("growth_interval", growth_interval, least=1)
        check_number("sufficient_decrease", sufficient_decrease)
        check_number("coefficient_max", coefficient_max, least=coefficient_init)
        self.num_classes = num_classes
        self.multiplier_init = multiplier_init
        self.coefficient_init = coefficient_init
        self.multiplier_min = multiplier_min
        self.multiplier_max = multiplier_max
        self.growth = growth
        self.growth_interval = growth_interval
        self.sufficient_decrease = sufficient_decrease
        self.coefficient_max = coefficient_max
        self.of = of
        shape = (len(AREAS), num_classes)
        self.register_buffer("multiplier", torch.full(shape, float(multiplier_init)))
        self.register_buffer("coefficient", torch.full(shape, float(coefficient_init)))
        self.register_buffer("violation", torch.full(shape, math.inf))
        self.register_buffer("updates", torch.tensor(0))

    @torch.no_grad()
    def update(self, sums: ViolationSums, average: str = "all") -> None:
        """Set the multipliers to the mean slopes of the penalties; let coefficients grow where violations persist.

        lambda = mean P'(h; lambda, rho), kept within its bounds. At every `growth_interval`-th update
        rho = min(growth rho, coefficient_max) where mean h > sufficient_decrease max(0, mean h before).
        CRaC (Murugesan et al. 2024, arXiv:2403.12364), Eq. 8 and 9. If regions share a multiplier, the means are
        over the voxels of both; if classes share it, over all classes.

        Args:
            sums: of the whole validation set, made with the current multipliers and coefficients.
            average: "all", means over all voxels: voxels outside the region count as zero violation, which pulls
                toward the current multiplier. "region", means over the region's own voxels. A multiplier without
                a voxel stays as it is.

        Raises:
            ValueError: `average` is unknown, the sums have another shape, or a sum is not finite.

        Note:
            Eq. 8 says "region". The authors' code does "all", so multipliers grow with the region's share of voxels.
            Eq. 9 has the same mean on both sides. As in their code, the second is the mean at the previous update, not
            at the previous growth. They bound each slope; here their mean is bounded.
        """
        check_choice("average", average, AVERAGES)
        if sums.slope.shape != self.multiplier.shape:
            raise ValueError(f"the sums are {tuple(sums.slope.shape)}; they must be {tuple(self.multiplier.shape)}")
        if not sums.to_tensor().isfinite().all():
            raise ValueError(f"the violations add up to {sums.violation.tolist()}; all must be finite")
        sums = sums.to(self.multiplier.device)
        whole = sums.count.sum(dim=0, keepdim=True).expand_as(sums.count)
        if self.of != BOTH:
            sums = sums.shared(self.of)
            whole = whole.sum(dim=1, keepdim=True).expand_as(whole) if self.of == "region" else whole
        count = sums.count if average == "region" else whole
        violation = sums.violation / count
        slope = (sums.slope + (count - sums.count) * self.multiplier) / count  # the slope at 0 is the multiplier
        self.updates += 1
        if self.updates.item() % self.growth_interval == 0:
            stays = violation > self.sufficient_decrease * self.violation.clamp(min=0)
            grown = (self.growth * self.coefficient).clamp(max=self.coefficient_max)
            self.coefficient.copy_(torch.where(stays, grown, self.coefficient))
        bounded = slope.clamp(self.multiplier_min, self.multiplier_max)
        self.multiplier.copy_(torch.where(count > 0, bounded, self.multiplier))
        self.violation.copy_(torch.where(count > 0, violation, self.violation))

    def extra_repr(self) -> str:
        """The arguments it was made with."""
        return shown_arguments(self)
