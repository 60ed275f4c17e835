"""Near copies: tells whether two images are one, stored in another precision, with a little noise or cut off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from calib_monai.datalists.splits import Case
from calib_monai.same_images import in_one_orientation, on_a_grid

ALIKE = 0.99  # a correlation that two images of one patient do not reach
KEPT = 1, 98  # percentiles; what lies beyond them may have been cut off


def are_nearly_the_same(case: Case, other: Case, loading: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    """Whether each channel of the images of two cases is nearly the same, but for its scale.

    Args:
        case: the one.
        other: the other.
        loading: the transforms from the files of a case to its image (C, H, W[, D]), with its affine.
    """
    first, second = (loading(dict(one))["image"] for one in (case, other))
    return correlation(_channels(first), _channels(second)) > ALIKE


def correlation(first: NDArray[Any], second: NDArray[Any]) -> float:
    """The lowest correlation of two channels, without the extremes of their values; 0 for channels of other sizes.

    Args:
        first: (C, H, W[, D]).
        second: the same of the other image.
    """
    if first.shape != second.shape:
        return 0.0
    clipped = [[np.clip(one, *np.percentile(one, KEPT)).ravel() for one in image] for image in (first, second)]
    pairs = list(zip(*clipped, strict=True))
    varied = all(np.ptp(one) > 0 for pair in pairs for one in pair)
    return min(float(np.corrcoef(*pair)[0, 1]) for pair in pairs) if varied else 0.0


def _channels(image: Tensor) -> NDArray[Any]:
    """The channels of an image on a regular grid and in one orientation."""
    values, affine = torch.as_tensor(image).as_subclass(Tensor), getattr(image, "affine", None)
    channels = in_one_orientation(values, None if affine is None else np.asarray(affine))
    return on_a_grid(channels).astype(np.float64)
