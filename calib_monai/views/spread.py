"""Spread: how much a network's answer changes between slightly different views of an image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from calib_monai.arguments import check_whole
from calib_monai.labels import most_probable
from calib_monai.views.augmentation import RandomViews

Network = Callable[[Tensor], Tensor]


@torch.no_grad()
def spread_over_views(
    image: Tensor,
    logits: Tensor,
    predict: Callable[[Tensor, Network], Tensor],
    network: Network,
    random_views: RandomViews,
    num_views: int,
) -> Tensor:
    """Standard deviation over views of the probability of the predicted class, (B, 1, H, W[, D]).

    This is test-time augmentation (Wang et al. 2019, doi:10.1016/j.neucom.2019.01.103). Each view is predicted, and the
    prediction is taken back to the image. A voxel that lies outside a view is measured in the other views. If it is in
    fewer than two views, its spread is 0. Where windows overlap, the variance over views is the mean of theirs. The
    prediction itself is made without views.

    Args:
        image: (B, Cin, H, W[, D]).
        logits: the network's logits of the image, (B, C, H, W[, D]).
        predict: applies a function of slices (N, Cin, H, W), or of windows of a volume (N, Cin, H, W, D), to the whole
            image, like a MONAI inferer.
        network: this function, which returns logits (N, C, H, W[, D]).
        random_views: draws the views, one for each slice or window. A window moves in its slices, all of them alike.
        num_views: number of views, at least 2.

    Raises:
        ValueError: fewer than 2 views, or images that `RandomViews` refuses.
    """
    check_whole("num_views", num_views, least=2)  # one has no spread

    def variance(parts: Tensor) -> Tensor:
        """The variance of each class's probability in slices or windows, and the mask of voxels that two views show."""
        count = mean = squares = torch.zeros((), device=parts.device)
        for _ in range(num_views):
            view = random_views(parts)
            valid, probs = view.valid().float(), view.back(network(view.image)).softmax(dim=1)
            count = count + valid
            change = (probs - mean) * valid
            mean = mean + change / count.clamp(min=1)
            squares = squares + change * (probs - mean)  # Welford's sum of (p - mean)^2: without views' change it is 0
        known = (count > 1).float()
        return torch.cat([squares / count.clamp(min=1) * known, known], dim=1)

    predicted = most_probable(logits.movedim(1, 0), torch.int64)[0].unsqueeze(1)
    joined = predict(image, variance)
    share_known = joined[:, -1:]
    return (joined.gather(1, predicted) / share_known).masked_fill(share_known == 0, 0).clamp(min=0).sqrt()
