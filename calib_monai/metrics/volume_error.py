"""Volume error: how far the volume that the probabilities expect is from the label's."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from calib_monai.arguments import check_number
from calib_monai.metrics.calibration import CalibrationMetric
from calib_monai.regions import PLAUSIBLE


class VolumeErrorMetric(CalibrationMetric):
    """Relative error of the expected volume, per image and class but the background; then the mean over images.

    |expected - true| / true, both in voxels; see `expected_voxels`. NaN where the label does not have the class.

    Args:
        at_least: probabilities below this are not added up, from 0 to 1; 0 adds up all.
        ignore_index: label of voxels that do not count.

    Raises:
        ValueError: another `at_least`.
    """

    sums_add_up = True

    def __init__(self, at_least: float = PLAUSIBLE, *, ignore_index: int | None = None) -> None:
        super().__init__(region="all", ignore_index=ignore_index)
        check_number("at_least", at_least, 0, 1)
        self.at_least = at_least

    def sums(self, probs: Tensor, labels: Tensor) -> Tensor:
        """Expected and true number of voxels of each class but the background, (C - 1, 2)."""
        expected = [expected_voxels(of_class, self.at_least) for of_class in probs[1:]]
        true = labels.long().bincount(minlength=len(probs))[1:]
        return torch.stack([true.new_tensor(expected, dtype=torch.float64), true.double()], dim=1)

    def measured(self, rows: Tensor) -> Tensor:
        """Relative errors, (..., C - 1)."""
        expected, true = rows.unbind(dim=-1)
        return ((expected - true).abs() / true).masked_fill(true == 0, float("nan"))


def expected_voxels(probs: Tensor, at_least: float = PLAUSIBLE) -> float:
    """The number of voxels that a class is expected to have: the sum of its probabilities, as float64.

    A large image has so many voxels of the background that their tiny probabilities would add up to an organ, so those
    below `at_least` do not count.

    Args:
        probs: probabilities of the class, of any shape.
        at_least: probabilities below this are not added up, from 0 to 1; 0 adds up all.

    Raises:
        ValueError: another `at_least`.
    """
    check_number("at_least", at_least, 0, 1)
    wide = probs.to(torch.promote_types(probs.dtype, torch.float32))  # NumPy has no bfloat16
    values = wide.detach().cpu().numpy()  # NumPy selects while it sums; PyTorch would need a copy
    return float(values.sum(dtype=np.float64, where=values >= at_least))
