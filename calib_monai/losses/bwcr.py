"""Boundary-weighted consistency regularization (BWCR), and plain consistency."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from calib_monai.arguments import check_ignore_index, check_number, shown_arguments
from calib_monai.boundaries import boundary_weight, check_boundary_weight
from calib_monai.fills import filled
from calib_monai.losses.targets import class_labels, ignored_voxels
from calib_monai.tensor_checks import check_views

NOT_VALID = -100  # the label that torch's cross-entropy leaves out


class BWCRLoss(nn.Module):
    r"""Cross-entropy of one view of an image plus the squared difference of its logits from another's.

    ```math
    L = \frac{1}{1 + \lambda} \left( -\frac{1}{N K} \sum_i v_{1i} \log p_{1i, y_i}
        + \frac{\lambda}{N K} \sum_i v_{1i} v_{2i} w_i \sum_k (l_{1ik} - l_{2ik})^2 \right)
    ```

    with the logits l of views 1 and 2 on the grid of the image, their softmax p, labels y, N voxels, K classes,
    v where a view is valid, w from `calib_monai.boundaries.boundary_weight` and lambda = `consistency_weight`;
    BWCR (Karani et al. 2023, arXiv:2307.08163). Far from a boundary the logits of the two views may differ. Near a
    boundary they are pulled together, which keeps them small where annotators disagree. Both views get a gradient.

    Args:
        weight_max: how much larger w is at a boundary than far from it. Used if the views bring no w.
        weight_min: w far from all boundaries. Used if the views bring no w.
        width: distance from the boundary, in voxels, at which w reaches its minimum. Used if the views bring no w.
        boundary_weighted: False sets w to 1, which is plain consistency.
        consistency_weight: lambda. The paper uses 1 with w, and tries 0.01, 0.1, 1 and 10 without.
        ignore_index: label of voxels that are left out of both terms and of N. To compute w, each of them takes the
            nearest other label of its image, so the edge of an ignored area is no boundary.

    Raises:
        ValueError: an argument has a value that is not allowed here.

    Note:
        As in the authors' code, for which lambda = 1 was chosen, cross-entropy is divided by K too, and voxels that are
        not valid count in N. With Adam only the ratio of the two terms matters.

    Examples:
        >>> views = torch.zeros(1, 2, 4, 4), torch.ones(1, 2, 4, 4), torch.ones(1, 2, 4, 4, dtype=torch.bool), None
        >>> BWCRLoss(boundary_weighted=False)(views, torch.zeros(1, 1, 4, 4))  # (ln 2 / 2 + 1) / 2
        tensor(0.6733)
    """

    def __init__(
        self,
        weight_max: float = 1.0,
        weight_min: float = 0.01,
        width: int = 10,
        boundary_weighted: bool = True,  # noqa: FBT001, FBT002 - a key in JSON
        consistency_weight: float = 1.0,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__()
        self.leave_out(ignore_index)
        check_boundary_weight(width, weight_max, weight_min)
        check_number("consistency_weight", consistency_weight)
        self.weight_max = weight_max
        self.weight_min = weight_min
        self.width = width
        self.boundary_weighted = boundary_weighted
        self.consistency_weight = consistency_weight

    def leave_out(self, ignore_index: int | None) -> None:
        """Leave out the voxels of this label, or none if it is None.

        Raises:
            ValueError: the label is not a whole number.
        """
        check_ignore_index(ignore_index)
        self.ignore_index = ignore_index

    def forward(self, views: tuple[Tensor, Tensor, Tensor, Tensor | None], target: Tensor) -> Tensor:
        """The loss, a scalar; 0 where every voxel is ignored.

        Args:
            views: as `calib_monai.views.TwoViewInferer` gives them: the logits of both views on the grid of the target,
                (B, C, H, W[, D]) each; where each view is valid, (B, 2, H, W[, D]), bool; and w, (B, 1, H, W[, D]), or
                None, in which case w is computed from the target.
            target: class indices, (B, 1, H, W[, D]).

        Raises:
            ValueError: `class_labels` refuses the target, the views are not these four, or shapes do not fit.
        """
        check_views(views)
        first, second, valid = (part.as_subclass(Tensor) for part in views[:3])
        labels = class_labels(first, target, self.ignore_index)
        voxels = torch.full((), target.numel(), device=first.device)
        first, second = (logits.to(torch.promote_types(logits.dtype, torch.float32)) for logits in (first, second))
        if self.ignore_index is not None:
            counted = ~ignored_voxels(labels)
            valid, voxels = valid & counted, counted.sum().clamp(min=1)
        # The logits of what does not count need not be finite.
        first, second = first.masked_fill(~valid[:, :1], 0), second.masked_fill(~valid[:, 1:], 0)
        own = labels.long().masked_fill_(~valid[:, :1], NOT_VALID).squeeze(1)
        supervised = cross_entropy(first, own, reduction="sum")
        both = (valid[:, :1] & valid[:, 1:]).to(first.dtype)
        if self.boundary_weighted:
            weight = self._weight(labels) if views[3] is None else views[3].as_subclass(Tensor)
            both = both * weight.to(first.dtype)
        consistency = (both * (first - second).square().sum(dim=1, keepdim=True)).sum()
        weighted = supervised + self.consistency_weight * consistency
        return weighted / (voxels.double() * first.shape[1] * (1 + self.consistency_weight)).to(weighted.dtype)

    def _weight(self, labels: Tensor) -> Tensor:
        """w, (B, 1, H, W[, D])."""
        if self.ignore_index is not None:
            labels = filled(labels, ignored_voxels(labels))
        return boundary_weight(labels, self.width, self.weight_max, self.weight_min)

    def extra_repr(self) -> str:
        """The arguments it was made with."""
        return shown_arguments(self)
