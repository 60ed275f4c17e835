"""Class and region-adaptive constraints (CRaC): an augmented Lagrangian of NACL's constraint."""

from __future__ import annotations

import torch
from torch import Tensor

from calib_monai.arguments import check_above_zero, check_choice
from calib_monai.lagrangian import BOTH, PENALTIES, SHARES, Multipliers, ViolationSums, slope
from calib_monai.losses.neighborhood import NeighborhoodLoss
from calib_monai.losses.pieces import pieces
from calib_monai.losses.targets import ignored_voxels
from calib_monai.losses.voxelwise import negative_log_likelihood
from calib_monai.priors import inner


class CRaCLoss(NeighborhoodLoss):
    r"""Cross-entropy plus a penalty on the distance between each logit and its class's share of the neighborhood.

    ```math
    L = -\frac{1}{N} \sum_i \log p_{i, y_i}
        + \frac{1}{2 N K} \sum_i \sum_k P(|s_i \tau_{ik} - l_{ik}|; \lambda_{r_i k}, \rho_{r_i k})
    ```

    with logits l, their softmax p, labels y, N voxels, K classes, tau the "mean" prior of
    `neighborhood_prior`, and r_i the region of voxel i: "outer" if its neighborhood holds more than one class, else
    "inner". s_i is 1 in the outer region and `target_scale` in the inner one. P is a penalty of
    `calib_monai.lagrangian` with a multiplier lambda and a coefficient rho for each region and class. CRaC
    (Murugesan et al. 2024, arXiv:2403.12364); the constraint is Eq. 3.

    `multipliers` holds lambda and rho. Its `update` changes them, once an epoch, given the `violation_sums` of the
    validation set; `calib_monai.handlers.MultiplierUpdate` calls it.

    Args:
        num_classes: number of classes K, background included.
        kernel_size: side of the neighborhood in voxels, odd.
        border: label beyond the edge of the image: "replicate", that of the nearest voxel, or "background", class 0.
        penalty: "phr", "p2" or "p3", as `calib_monai.lagrangian.penalties`.
        target_scale: the logit that a class is pulled to where it is the only one around, above 0. The paper
            prints 1; its experiments used 5.
        multiplier_init: initial value of each lambda.
        coefficient_init: initial value of each rho.
        growth: factor by which rho grows where violations persist.
        growth_interval: rho may grow at each `growth_interval`-th update.
        sufficient_decrease: violations persist if their mean exceeds this share of the previous mean.
        coefficient_max: upper limit of rho.
        ignore_index: label of voxels that are left out of every term and every neighborhood.
        multipliers_of: "class and region", or "class" or "region" for the paper's ablation: a multiplier for each class
            alone, which its regions share, or for each region alone, which its classes share.

    Raises:
        ValueError: an argument has a value that is not allowed here.

    Note:
        As in the authors' code the distance is absolute, and the mean is over 2K channels, K of which are zero at
        each voxel: those of the other region. The outer region is the paper's. The authors' test for it depends on
        rounding errors and finds 83 to 93 % of it. Their border is "background".

    Examples:
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
        multipliers_of: str = BOTH,
    ) -> None:
        super().__init__("mean", kernel_size, 1.0, border, ignore_index)
        check_choice("penalty", penalty, PENALTIES)
        check_choice("multipliers_of", multipliers_of, SHARES)
        check_above_zero("target_scale", target_scale)
        self.num_classes = num_classes
        self.penalty = penalty
        self.target_scale = target_scale
        self.multipliers = Multipliers(
            num_classes,
            multiplier_init,
            coefficient_init,
            growth=growth,
            growth_interval=growth_interval,
            sufficient_decrease=sufficient_decrease,
            coefficient_max=coefficient_max,
            of=multipliers_of,
        )

    def per_voxel(self, logits: Tensor, padded: Tensor) -> Tensor:
        """-log p_y + 1 / (2 K) sum_k P(|l_k - s tau_k|; lambda_k, rho_k)."""
        violation, uniform = self.constraint(logits, padded)
        penalty = PENALTIES[self.penalty](violation, *self.weights(uniform), signed=False).sum(dim=1)
        return negative_log_likelihood(logits.log_softmax(dim=1), padded) + penalty / (2 * self.num_classes)

    @torch.no_grad()
    def violation_sums(self, logits: Tensor, target: Tensor) -> ViolationSums:
        """The sums that `multipliers.update` takes, of a part of the validation set and without gradient; parts add up.

        Args:
            logits: (B, C, H, W[, D]), any float dtype.
            target: class indices, (B, 1, H, W[, D]), integer or float dtype.

        Raises:
            ValueError: as `forward`.
        """
        padded = self.padded_labels(logits, target)
        first, *others = (self._sums(*piece) for piece in pieces(logits.as_subclass(Tensor), padded, self.radius))
        return sum(others, start=first)

    def _sums(self, logits: Tensor, padded: Tensor) -> ViolationSums:
        """The sums over the voxels of a piece that are not ignored."""
        violation, uniform = self.constraint(logits, padded)
        ignored = ignored_voxels(inner(padded, self.radius))
        violation = violation.masked_fill(ignored, 0)
        slopes = slope(PENALTIES[self.penalty], violation, *self.weights(uniform))
        regions = (uniform.masked_fill(ignored, 0), (1 - uniform).masked_fill(ignored, 0))
        return ViolationSums.of(violation, slopes, regions)

    def constraint(self, logits: Tensor, padded: Tensor) -> tuple[Tensor, Tensor]:
        """The violation |l - s tau|, (B, C, ...), and the "inner" region, (B, 1, ...), both of the logits' dtype.

        Args:
            logits: (B, C, ...).
            padded: labels with `radius` more voxels on every side, (B, 1, ...).

        Raises:
            ValueError: the logits do not have `num_classes` channels.
        """
        if logits.shape[1] != self.num_classes:
            raise ValueError(f"logits have {logits.shape[1]} channels; num_classes is {self.num_classes}")
        tau = self.tau(padded, logits)
        uniform = self.uniform(tau)
        if self.target_scale != 1:
            tau = tau * (1 + (self.target_scale - 1) * uniform)
        return (logits - tau).abs(), uniform

    def uniform(self, prior: Tensor) -> Tensor:
        """The "inner" region: 1 where the neighborhood has one class and 0 where it is mixed, (B, 1, ...).

        Args:
            prior: share of each class in the neighborhood, (B, C, ...). A class that is alone has exactly 1.
        """
        return prior.amax(dim=1, keepdim=True).floor()

    def weights(self, uniform: Tensor) -> list[Tensor]:
        """The lambda and rho of each voxel's region, (B, C, ...), of the dtype of `uniform`, which says the region."""
        axes, mixed = [1, -1, *[1] * (uniform.ndim - 2)], 1 - uniform
        rows = (self.multipliers.multiplier.to(uniform), self.multipliers.coefficient.to(uniform))
        # A choice by a mask takes four times as long on a CPU; a sum in which one term is 0 is exact.
        return [torch.addcmul(mixed * outer.view(axes), uniform, inner.view(axes)) for inner, outer in rows]
