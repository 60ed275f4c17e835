"""Debiased: the calibration error of all images without what chance adds to it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from calib_monai.bins import Bins, top_label_bins
from calib_monai.metrics import CECEMetric, ECEMetric

IMAGES, VOXELS, BINS = 30, 40, 15
DRAWS = 200


def test_it_is_the_sum_that_its_definition_says() -> None:
    generator = torch.Generator().manual_seed(0)
    probs = (2 * torch.randn(5, 3, 6, 6, generator=generator)).softmax(dim=1)
    target = torch.randint(3, (5, 1, 6, 6), generator=generator)
    metric = ECEMetric(region="all", debiased=True)
    for image in range(5):
        metric(y_pred=probs[image : image + 1], y=target[image : image + 1])
    bins = [top_label_bins(p.flatten(1), t.flatten()) for p, t in zip(probs, target, strict=True)]
    error, voxels = 0.0, 0.0
    for b in range(BINS):
        filled = [one for one in bins if one.count[b] > 0]
        if len(filled) < 2:
            continue
        for one in filled:
            others = sum((other.confidence[b] - other.correctness[b]).item() for other in filled if other is not one)
            error += (one.confidence[b] - one.correctness[b]).item() * (1 if others > 0 else -1)
            voxels += one.count[b].item()
    assert metric.aggregate().item() == pytest.approx(error / voxels)


@pytest.mark.parametrize("metric_class", [ECEMetric, CECEMetric])
def test_it_is_pooled_where_all_images_are_wrong_in_one_way(metric_class: type[ECEMetric | CECEMetric]) -> None:
    confident = torch.tensor([0.9, 0.1]).view(1, 2, 1, 1).expand(4, 2, 3, 3)
    values = []
    for metric in (metric_class(region="all", debiased=True), metric_class(region="all", pooled=True)):
        metric(y_pred=confident, y=torch.tensor([[0, 1, 1], [0, 1, 0], [1, 0, 0]]).expand(4, 1, 3, 3))
        values.append(metric.aggregate().item())
    assert values[0] == pytest.approx(values[1]) == pytest.approx(0.9 - 5 / 9)


def test_one_image_alone_says_nothing() -> None:
    metric = ECEMetric(region="all", debiased=True)
    metric(y_pred=torch.tensor([0.9, 0.1]).view(1, 2, 1, 1), y=torch.ones(1, 1, 1, 1))
    assert metric.aggregate().isnan()
    assert metric.values().item() == pytest.approx(0.9)


def test_pooled_and_debiased_are_not_both() -> None:
    with pytest.raises(ValueError, match="pooled is True and debiased is True"):
        ECEMetric(pooled=True, debiased=True)


def drawn(confidence: Tensor, probability: Tensor, *, together: bool) -> Bins:
    """Bins (IMAGES, DRAWS, BINS) of voxels (IMAGES, VOXELS) that are right with a probability.

    Args:
        confidence: what is said of each voxel.
        probability: how often it is right.
        together: whether the voxels of an image err together, as where a whole border is drawn too wide.
    """
    size = (DRAWS, IMAGES, 1 if together else VOXELS)
    right = (torch.rand(size, generator=torch.Generator().manual_seed(1)) < probability).double()
    place = torch.nn.functional.one_hot((confidence * BINS).ceil().long() - 1, BINS).double()  # (IMAGES, VOXELS, BINS)
    count = place.sum(dim=1, keepdim=True).expand(IMAGES, DRAWS, BINS)
    sums = torch.einsum("iv,ivb->ib", confidence, place).unsqueeze(1).expand_as(count)
    return Bins(count, sums, torch.einsum("div,ivb->idb", right, place), count.sum(dim=-1))


def of_all_images(bins: Bins, *, debiased: bool) -> Tensor:
    """The error of each draw, (DRAWS,)."""
    errors, count = bins.pooled_errors(debiased=debiased)
    return errors.sum(dim=0) / count.sum(dim=0)


@pytest.mark.parametrize("together", [False, True])
def test_with_few_voxels_an_exact_network_has_no_error_only_if_that_is_debiased(together: bool) -> None:  # noqa: FBT001
    confidence = 0.5 + torch.rand(IMAGES, VOXELS, generator=torch.Generator().manual_seed(0)).double() / 2
    bins = drawn(confidence, confidence, together=together)
    debiased = of_all_images(bins, debiased=True)
    assert abs(debiased.mean()) < 4 * debiased.std() / DRAWS**0.5  # the mean of draws of 0 is within this of it
    pooled = of_all_images(bins, debiased=False)
    assert pooled.mean() > (0.05 if together else 0.02)
    assert bins.expected_calibration_error().mean() > (0.3 if together else 0.1)  # of each image alone


@pytest.mark.parametrize("together", [False, True])
def test_a_true_error_is_found_also_if_it_is_debiased(together: bool) -> None:  # noqa: FBT001
    confidence = 0.5 + torch.rand(IMAGES, VOXELS, generator=torch.Generator().manual_seed(0)).double() / 2
    bins = drawn(confidence, confidence - 0.2, together=together)
    assert of_all_images(bins, debiased=True).mean() == pytest.approx(0.2, abs=0.02)
    assert (of_all_images(bins, debiased=True) <= of_all_images(bins, debiased=False) + 1e-12).all()


def test_an_error_near_chance_is_reported_too_small() -> None:
    confidence = 0.5 + torch.rand(IMAGES, VOXELS, generator=torch.Generator().manual_seed(0)).double() / 2
    found = of_all_images(drawn(confidence, confidence - 0.02, together=False), debiased=True).mean()
    assert found == pytest.approx(0.009, abs=0.002)  # of 0.02: the others' sign is often wrong


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("confidence", "right"), [(0.9, (5, 9)), (0.8, (4, 8)), (0.7, (3, 7)), (0.6, (2, 6))])
def test_a_gap_of_rounding_alone_has_no_sign(confidence: float, right: tuple[int, int], dtype: torch.dtype) -> None:
    metric = ECEMetric(region="all", debiased=True)
    for count in right:
        probs = torch.tensor([1 - confidence, confidence], dtype=dtype).view(1, 2, 1, 1).expand(1, 2, 10, 1)
        metric(y_pred=probs, y=(torch.arange(10) < count).long().view(1, 1, 10, 1))
    assert metric.aggregate().item() == pytest.approx(0, abs=1e-6)
