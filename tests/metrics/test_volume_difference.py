"""Volume difference: the size of each predicted structure beside the label's, with its sign."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.metrics import AbsoluteVolumeDifferenceMetric
from monai.networks.utils import one_hot

from calib_monai.metrics import VolumeDifferenceMetric

PREDICTED = torch.tensor([[1] * 9 + [2] * 6, [0] * 15]).view(2, 1, 5, 3)
LABEL = torch.tensor([[1] * 10 + [2] * 5, [1] * 5 + [0] * 10]).view(2, 1, 5, 3)


def test_a_structure_that_is_too_small_is_negative_and_a_class_without_label_has_no_value() -> None:
    metric = VolumeDifferenceMetric(num_classes=3)
    expected = torch.tensor([[-0.1, 0.2], [-1.0, float("nan")]], dtype=torch.float64)
    torch.testing.assert_close(metric(y_pred=PREDICTED, y=LABEL), expected, equal_nan=True)
    assert metric.aggregate().item() == pytest.approx((0.05 - 1) / 2)


def test_its_size_times_the_label_is_the_absolute_difference_of_monai() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = [one_hot(torch.randint(4, (3, 1, 6, 7, 5), generator=generator), 4) for _ in range(2)]
    ours = VolumeDifferenceMetric()(*maps).abs() * maps[1][:, 1:].sum(dim=(2, 3, 4))
    theirs: Any = AbsoluteVolumeDifferenceMetric(include_background=False)(*maps)
    torch.testing.assert_close(ours, theirs.double())


def test_a_number_of_classes_below_2_is_refused() -> None:
    with pytest.raises(ValueError, match="num_classes is 1"):
        VolumeDifferenceMetric(num_classes=1)
