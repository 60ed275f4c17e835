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
    fewer than two views, its spread is 0. The prediction itself is made without views.

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

    def seen(parts: Tensor) -> Tensor:
        """Probabilities of a view of slices or windows on their grid, their squares, a mask of known voxels; else 0."""
        view = random_views(parts)
        valid = view.valid()
        probs = view.back(network(view.image)).softmax(dim=1) * valid
        return torch.cat([probs, probs.square(), valid.float()], dim=1)

    predicted = most_probable(logits.movedim(1, 0), torch.int64)[0].unsqueeze(1)
    count, total, squares = (torch.zeros_like(predicted, dtype=torch.float32) for _ in range(3))
    for _ in range(num_views):
        of_view = predict(image, seen)
        total += of_view.gather(1, predicted)
        squares += of_view.gather(1, predicted + logits.shape[1])
        count += of_view[:, -1:]
    mean = total / count.clamp(min=1)
    variance = (squares / count.clamp(min=1) - mean.square()).clamp_(min=0)
    return variance.sqrt_() * (count > 1)
