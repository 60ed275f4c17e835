"""Bins: their definition in float64, MONAI's bins, the laws."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from monai.metrics import CalibrationErrorMetric, calibration_binning

from calib_monai.bins import Bins, class_bins, class_errors_of_equal_mass, top_label_bins


def case(voxels: int = 500) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    probs = (3 * torch.randn(3, voxels, generator=generator)).softmax(dim=0)
    return probs, torch.randint(3, (voxels,), generator=generator)


def for_monai(probs: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The same as one image (1, 3, N, 1) and its one-hot label."""
    return probs[None, :, :, None], torch.nn.functional.one_hot(labels, 3).T[None, :, :, None]


def slow_error(confidence: np.ndarray, right: np.ndarray, num_bins: int = 15) -> float:
    """The definition, bin by bin, in float64."""
    error = 0.0
    for b in range(num_bins):
        inside = (confidence > b / num_bins if b else confidence >= 0) & (confidence <= (b + 1) / num_bins)
        if inside.any():
            error += inside.sum() / len(confidence) * abs(right[inside].mean() - confidence[inside].mean())
    return error


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int16, torch.float16])
def test_labels_may_have_any_type(dtype: torch.dtype) -> None:
    probs, labels = case()[0][:2].softmax(dim=0), torch.arange(500) % 2
    for bins in (top_label_bins, class_bins):
        assert torch.equal(bins(probs, labels.to(dtype)).to_tensor(), bins(probs, labels).to_tensor())


def test_the_error_is_its_definition_in_float64() -> None:
    probs, labels = case()
    slow, right = probs.double().numpy(), labels.numpy()
    top = top_label_bins(probs, labels).expected_calibration_error().item()
    assert top == pytest.approx(slow_error(slow.max(axis=0), slow.argmax(axis=0) == right), abs=1e-8)
    for k, error in enumerate(class_bins(probs, labels).expected_calibration_error().tolist()):
        assert error == pytest.approx(slow_error(slow[k], right == k), abs=1e-8)


def test_the_class_bins_are_monais() -> None:
    probs, labels = case()
    probs[:, :9] = torch.eye(3).repeat(1, 3)  # some that are certain
    confidence, accuracy, count = calibration_binning(*for_monai(probs, labels), num_bins=15)
    bins = class_bins(probs, labels)
    torch.testing.assert_close(bins.count, count[0].double())
    torch.testing.assert_close(bins.mean_confidence(), confidence[0].double(), equal_nan=True, atol=1e-6, rtol=0)
    torch.testing.assert_close(bins.accuracy(), accuracy[0].double(), equal_nan=True, atol=1e-6, rtol=0)


@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_an_error_of_a_certain_network_counts_in_the_class_that_it_excluded(certain: float) -> None:
    probs = torch.tensor([[1 - certain], [certain]]).expand(2, 6)
    bins = class_bins(probs, torch.full((6,), int(certain == 0)))
    assert bins.expected_calibration_error().tolist() == [1.0, 1.0]
    assert bins.total.tolist() == bins.count.sum(dim=-1).tolist() == [6, 6]


def test_bins_of_two_parts_add_up_to_those_of_the_whole() -> None:
    probs, labels = case()
    for bin_up in (top_label_bins, class_bins):
        parts = bin_up(probs[:, :200], labels[:200]) + bin_up(probs[:, 200:], labels[200:])
        for name, values in bin_up(probs, labels).to_dict().items():
            torch.testing.assert_close(getattr(parts, name), torch.tensor(values, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("edge", range(16))
def test_a_bin_holds_its_upper_edge_and_not_its_lower_but_the_first_holds_0(edge: int, dtype: torch.dtype) -> None:
    value = torch.tensor(edge / 15, dtype=dtype)
    count = class_bins(torch.stack([value, 1 - value]).unsqueeze(1), torch.zeros(1, dtype=torch.int64)).count[0]
    assert count.nonzero().flatten().tolist() == [max(edge - 1, 0)]


@pytest.mark.parametrize("num_bins", [1, 7, 10, 15, 100])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_each_number_beside_an_edge_is_in_its_bin(num_bins: int, dtype: torch.dtype) -> None:
    edges = (torch.arange(num_bins + 1, dtype=torch.float64) / num_bins).to(dtype)
    below, above = (torch.nextafter(edges, edges.new_tensor(end)).clamp(0, 1) for end in (-1, 2))
    for confidence in (below, edges, above, torch.linspace(0, 1, 3001, dtype=dtype)):
        count = class_bins(confidence[None], torch.zeros(len(confidence), dtype=torch.long), num_bins).count[0]
        inside = [((confidence > low) & (confidence <= high)).sum() for low, high in itertools.pairwise(edges)]
        inside[0] += (confidence == 0).sum()
        assert torch.equal(count, torch.stack(inside).double())


def test_of_equally_probable_classes_the_first_is_predicted() -> None:
    probs = torch.tensor([[0.4, 0.2], [0.4, 0.4], [0.2, 0.4]])
    right = [top_label_bins(probs, torch.tensor([k, k])).correctness.sum().item() for k in range(3)]
    assert right == [1, 1, 0]


def test_without_a_voxel_the_error_is_not_a_number() -> None:
    assert math.isnan(top_label_bins(*case(voxels=0)).expected_calibration_error().item())


def test_sums_of_many_voxels_lose_nothing() -> None:
    voxels = 2**24 + 8
    probs = torch.tensor([[0.9], [0.1]]).expand(2, voxels)
    bins = top_label_bins(probs, torch.zeros(voxels, dtype=torch.uint8))
    assert bins.count.sum().item() == voxels
    assert bins.expected_calibration_error().item() == pytest.approx(0.1, abs=1e-7)


def test_bins_survive_a_file() -> None:
    bins = class_bins(*case())
    torch.testing.assert_close(Bins.from_dict(bins.to_dict()).confidence, bins.confidence)


def test_sums_of_ten_million_voxels_are_those_of_float64() -> None:
    probs, labels = case(voxels=10_000_000)
    slow, right = probs.double().numpy(), labels.numpy()
    error = top_label_bins(probs, labels).expected_calibration_error().item()
    assert error == pytest.approx(slow_error(slow.max(axis=0), slow.argmax(axis=0) == right), abs=1e-8)


def test_bins_survive_being_one_tensor() -> None:
    bins = class_bins(*case())
    assert Bins.from_tensor(bins.to_tensor()).to_dict() == bins.to_dict()


@pytest.mark.parametrize("reduction", ["expected", "average"])
def test_monais_calibration_error_follows_from_the_bins(reduction: str) -> None:
    probs, labels = case()
    theirs = CalibrationErrorMetric(num_bins=15, calibration_reduction=reduction, metric_reduction="none")
    y_pred, y = for_monai(probs, labels)
    theirs(y_pred=y_pred, y=y)
    bins = class_bins(probs, labels)
    average = (bins.mean_confidence() - bins.accuracy()).abs().nanmean(dim=-1)
    ours = bins.expected_calibration_error() if reduction == "expected" else average
    torch.testing.assert_close(theirs.aggregate()[0].double(), ours, atol=1e-5, rtol=0)


@pytest.mark.parametrize("bins", [top_label_bins, class_bins, class_errors_of_equal_mass])
def test_what_is_no_class_and_no_probability_is_refused(bins: Any) -> None:
    probs = torch.tensor([[0.9, 0.4], [0.1, 0.6]])
    with pytest.raises(ValueError, match="labels are from 0 to 255, and probs have 2 classes"):
        bins(probs, torch.tensor([0, 255]))
    with pytest.raises(ValueError, match=r"probs hold values from -0.1 to 3.5; probabilities lie in 0\.\.1"):
        bins(torch.tensor([[3.5, 0.4], [-0.1, 0.6]]), torch.tensor([0, 1]))
    for label in (0.5, float("nan")):
        with pytest.raises(ValueError, match=rf"labels hold {label}; they must be whole numbers 0\.\.1"):
            bins(probs, torch.tensor([0, label]))
    for some, labels in ((probs, torch.tensor([0])), (probs[:, :1], torch.tensor([0, 1])), (probs[None], probs[:1])):
        with pytest.raises(ValueError, match=r"probs are \(.*\) and labels \(.*\); they must be \(C, N\) and \(N,\)"):
            bins(some, labels)
    with pytest.raises(ValueError, match="num_bins is 0; it must be a whole number, at least 1"):
        bins(probs, torch.tensor([0, 1]), 0)


def test_other_bins_are_not_added() -> None:
    probs, labels = torch.tensor([[0.3, 0.8], [0.7, 0.2]]), torch.tensor([1, 0])
    with pytest.raises(ValueError, match=r"bins of the shapes \(1,\) and \(15,\) cannot be added"):
        top_label_bins(probs, labels, 1) + top_label_bins(probs, labels, 15)
