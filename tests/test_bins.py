"""Bins: their definition in float64, MONAI's bins, the laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.metrics import CalibrationErrorMetric, calibration_binning

from calib_monai.bins import Bins, class_bins, top_label_bins


def case(voxels: int = 500, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    probs = (3 * torch.randn(1, 3, voxels, 1, generator=generator)).softmax(dim=1)
    target = torch.randint(3, (1, 1, voxels, 1), generator=generator)
    return probs, target, torch.rand(1, 1, voxels, 1, generator=generator) < 0.7


def slow_error(confidence: np.ndarray, right: np.ndarray, num_bins: int = 15) -> float:
    """The definition, bin by bin, in float64."""
    error = 0.0
    for b in range(num_bins):
        inside = (confidence > b / num_bins) & (confidence <= (b + 1) / num_bins)
        if inside.any():
            error += inside.sum() / len(confidence) * abs(right[inside].mean() - confidence[inside].mean())
    return error


def test_the_error_is_its_definition_in_float64() -> None:
    probs, target, mask = case()
    chosen = probs[0, :, mask[0, 0]].double().numpy()
    labels = target[0, 0, mask[0, 0]].numpy()
    top = top_label_bins(probs, target, mask).expected_calibration_error().item()
    assert top == pytest.approx(slow_error(chosen.max(axis=0), chosen.argmax(axis=0) == labels), abs=1e-8)
    for k, error in enumerate(class_bins(probs, target, mask).expected_calibration_error()[0].tolist()):
        assert error == pytest.approx(slow_error(chosen[k], labels == k), abs=1e-8)


def test_the_class_bins_are_monais() -> None:
    probs, target, _ = case()
    one_hot = torch.nn.functional.one_hot(target[:, 0], 3).movedim(-1, 1)
    confidence, accuracy, count = calibration_binning(probs, one_hot, num_bins=15)
    bins = class_bins(probs, target, torch.ones_like(target, dtype=torch.bool))
    torch.testing.assert_close(bins.count, count.double())
    torch.testing.assert_close(bins.mean_confidence(), confidence.double(), equal_nan=True, atol=1e-6, rtol=0)
    torch.testing.assert_close(bins.accuracy(), accuracy.double(), equal_nan=True, atol=1e-6, rtol=0)


def test_bins_of_two_parts_add_up_to_those_of_the_whole() -> None:
    probs, target, mask = case()
    first = torch.zeros_like(mask)
    first[:, :, :200] = True
    for bin_up in (top_label_bins, class_bins):
        parts = bin_up(probs, target, mask & first) + bin_up(probs, target, mask & ~first)
        for name, values in bin_up(probs, target, mask).to_dict().items():
            torch.testing.assert_close(getattr(parts, name), torch.tensor(values, dtype=torch.float64))


def test_a_batch_is_binned_image_by_image() -> None:
    one, two = case(seed=1), case(seed=2)
    both = class_bins(*(torch.cat(pair) for pair in zip(one, two, strict=True)))
    for index, alone in enumerate((one, two)):
        torch.testing.assert_close(both[index].confidence, class_bins(*alone).confidence[0])


@pytest.mark.parametrize(("value", "place"), [(1.0, 14), (14 / 15, 13), (1 / 15, 0), (0.0, None)])
def test_a_bin_holds_its_upper_edge_and_not_its_lower(value: float, place: int | None) -> None:
    probs = torch.tensor([value, 1 - value], dtype=torch.float32).view(1, 2, 1, 1)
    mask = torch.ones(1, 1, 1, 1, dtype=torch.bool)
    count = class_bins(probs, torch.zeros(1, 1, 1, 1, dtype=torch.int64), mask).count[0, 0]
    assert count.nonzero().flatten().tolist() == ([] if place is None else [place])


def test_without_a_voxel_the_error_is_not_a_number() -> None:
    probs, target, mask = case()
    assert math.isnan(top_label_bins(probs, target, mask & False).expected_calibration_error().item())


def test_sums_of_many_voxels_lose_nothing() -> None:
    voxels = 2**24 + 8
    probs = torch.tensor([0.9, 0.1]).view(1, 2, 1, 1).expand(1, 2, voxels, 1)
    target = torch.zeros(1, 1, voxels, 1, dtype=torch.uint8)
    bins = top_label_bins(probs, target, torch.ones(1, 1, voxels, 1, dtype=torch.bool))
    assert bins.count.sum().item() == voxels
    assert bins.expected_calibration_error().item() == pytest.approx(0.1, abs=1e-7)


def test_bins_survive_a_file() -> None:
    bins = class_bins(*case())
    torch.testing.assert_close(Bins.from_dict(bins.to_dict()).confidence, bins.confidence)


def test_average_and_maximum_error_are_their_definitions() -> None:
    bins = top_label_bins(*case())
    gaps = [
        abs(confidence - right) / count
        for count, confidence, right in zip(
            bins.count[0].tolist(), bins.confidence[0].tolist(), bins.correctness[0].tolist(), strict=True
        )
        if count
    ]
    assert bins.average_calibration_error().item() == pytest.approx(sum(gaps) / len(gaps))
    assert bins.maximum_calibration_error().item() == pytest.approx(max(gaps))
    empty = top_label_bins(*case()[:2], case()[2] & False)
    assert math.isnan(empty.average_calibration_error().item())
    assert math.isnan(empty.maximum_calibration_error().item())


def test_bins_survive_being_one_tensor() -> None:
    bins = class_bins(*case())
    assert Bins.from_tensor(bins.to_tensor()).to_dict() == bins.to_dict()


@pytest.mark.parametrize("reduction", ["expected", "average", "maximum"])
def test_monais_calibration_error_follows_from_the_bins(reduction: str) -> None:
    probs, target, _ = case()
    one_hot = torch.nn.functional.one_hot(target[:, 0], 3).movedim(-1, 1)
    theirs = CalibrationErrorMetric(num_bins=15, calibration_reduction=reduction, metric_reduction="none")
    theirs(y_pred=probs, y=one_hot)
    ours = getattr(
        class_bins(probs, target, torch.ones_like(target, dtype=torch.bool)), f"{reduction}_calibration_error"
    )()
    torch.testing.assert_close(theirs.aggregate().double(), ours, atol=1e-5, rtol=0)
