"""Inputs: labels of any type of whole numbers are measured, and what holds nothing to measure is refused."""

from __future__ import annotations

import pytest
import torch

from calib_monai.metrics import (
    ASDMetric,
    BrierMetric,
    ECEMetric,
    ExpectedDiceMetric,
    HD95Metric,
    MissedStructuresMetric,
    NLLMetric,
)
from calib_monai.metrics.imagewise import ImagewiseMetric

OF_PROBS = (ECEMetric, NLLMetric, BrierMetric, ExpectedDiceMetric)
OF_SHAPES = (HD95Metric, ASDMetric, MissedStructuresMetric)
UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)


def measured(kind: type[ImagewiseMetric], y_pred: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """What a metric says of these images."""
    metric = kind(num_classes=3) if kind in OF_SHAPES else kind()  # type: ignore[call-arg] # those have it
    return metric(y_pred=y_pred, y=y)


def given(kind: type[ImagewiseMetric]) -> tuple[torch.Tensor, torch.Tensor]:
    """A prediction as a metric takes it, and a label."""
    generator = torch.Generator().manual_seed(0)
    probs = torch.randn(2, 3, 6, 7, generator=generator).softmax(dim=1)
    label = torch.randint(3, (2, 1, 6, 7), generator=generator)
    return probs.argmax(dim=1, keepdim=True) if kind in OF_SHAPES else probs, label


@pytest.mark.parametrize("kind", [*OF_PROBS, *OF_SHAPES])
def test_labels_of_unsigned_types_are_measured_as_others(kind: type[ImagewiseMetric]) -> None:
    y_pred, label = given(kind)
    for dtype in UNSIGNED:
        torch.testing.assert_close(
            measured(kind, y_pred, label.to(dtype)), measured(kind, y_pred, label), rtol=0, atol=0, equal_nan=True
        )
    with pytest.raises(ValueError, match=r"y is torch\.complex64; it must hold whole numbers"):
        measured(kind, y_pred, label + 0j)


@pytest.mark.parametrize("dtype", UNSIGNED)
def test_a_label_of_an_unsigned_type_is_ignored(dtype: torch.dtype) -> None:
    probs, label = given(ECEMetric)
    label[0, 0, 0] = 255
    with pytest.raises(ValueError, match=r"y is torch\.complex64; it must hold whole numbers"):
        NLLMetric(ignore_index=255)(y_pred=probs, y=label + 0j)
    one, other = (NLLMetric(ignore_index=255)(y_pred=probs, y=each) for each in (label, label.to(dtype)))
    torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("kind", [*OF_PROBS, *OF_SHAPES])
def test_no_image_and_no_voxel_are_refused(kind: type[ImagewiseMetric]) -> None:
    y_pred, label = given(kind)
    for empty in (slice(0), (slice(None), slice(None), slice(0))):
        with pytest.raises(ValueError, match=r"y_pred is \([\d, ]+\); it must hold at least one voxel"):
            measured(kind, y_pred[empty], label[empty])
