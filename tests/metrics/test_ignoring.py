"""Ignored voxels: they are in no region and no neighborhood of any measure of probabilities."""

from __future__ import annotations

import math

import pytest
import torch

from calib_monai.metrics import BrierMetric, CECEMetric, ECEMetric, MetricCollection, NLLMetric, TACEMetric
from calib_monai.metrics.calibration import CalibrationMetric
from calib_monai.regions import REGIONS

METRICS = (ECEMetric, CECEMetric, TACEMetric, BrierMetric, NLLMetric)


def case(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities of three classes and labels in blobs, of an image."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(3, [1, 1, *shape], generator=generator).repeat_interleave(4, dim=2)
    probs = (2 * torch.randn(1, 3, *labels.shape[2:], generator=generator)).softmax(dim=1)
    return probs, labels


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("metric_class", METRICS)
@pytest.mark.parametrize("shape", [(3, 10), (2, 6, 10)])
def test_what_is_ignored_is_as_if_it_were_cut_off(
    metric_class: type[CalibrationMetric], region: str, shape: tuple[int, ...]
) -> None:
    probs, labels = case(*shape)
    cut = metric_class(region=region)(y_pred=probs[..., :6], y=labels[..., :6])
    for ignore_index, dtype in ((255, torch.uint8), (255, torch.float32), (-1, torch.int64), (3, torch.int32)):
        ignored = labels.to(dtype)
        ignored[..., 6:] = ignore_index
        metric = metric_class(region=region, ignore_index=ignore_index)
        torch.testing.assert_close(metric(y_pred=probs, y=ignored), cut)


@pytest.mark.parametrize("region", REGIONS)
def test_an_image_of_ignored_voxels_is_left_out_of_the_mean(region: str) -> None:
    probs, labels = case(3, 10)
    one = MetricCollection({kind.__name__: kind(region=region) for kind in METRICS}, ignore_index=255)
    two = MetricCollection({kind.__name__: kind(region=region) for kind in METRICS}, ignore_index=255)
    one(y_pred=probs, y=labels)
    two(y_pred=probs.repeat(2, 1, 1, 1), y=torch.cat([labels, torch.full_like(labels, 255)]))
    assert all(values[1].isnan().all() for values in two.values().values())
    assert {name: value.item() for name, value in one.aggregate().items()} == pytest.approx(
        {name: value.item() for name, value in two.aggregate().items()}
    )


@pytest.mark.parametrize("metric_class", METRICS)
@pytest.mark.parametrize("ignore_index", [0, 2])
def test_a_class_of_a_one_hot_label_is_ignored_as_one_of_class_indices(
    metric_class: type[CalibrationMetric], ignore_index: int
) -> None:
    probs, labels = case(3, 10)
    one_hot = torch.nn.functional.one_hot(labels[:, 0], 3).movedim(-1, 1)
    values = [
        metric_class(region="all", ignore_index=ignore_index)(y_pred=probs, y=label) for label in (labels, one_hot)
    ]
    assert torch.equal(*values)


def test_a_label_above_the_classes_is_refused_where_it_is_not_ignored() -> None:
    probs, labels = case(3, 10)
    labels[..., 6:] = 255
    for ignore_index in (None, 254):
        with pytest.raises(ValueError, match="y holds labels from 0 to 255"):
            ECEMetric(ignore_index=ignore_index, region="foreground")(y_pred=probs, y=labels)


def test_a_byte_is_not_taken_for_a_label_that_it_cannot_hold() -> None:
    probs, labels = case(3, 10)
    value = ECEMetric(ignore_index=256, region="foreground")(
        y_pred=probs, y=labels.to(torch.uint8)
    )  # 256 is 0 in a byte
    assert value.item() == ECEMetric(region="foreground")(y_pred=probs, y=labels).item()
    assert not math.isnan(value.item())


def test_a_collection_ignores_one_label() -> None:
    of_nine = {"ece": ECEMetric(ignore_index=9, region="foreground"), "tace": TACEMetric()}
    assert MetricCollection(of_nine).ignore_index == 9
    with pytest.raises(ValueError, match=r"ignore_index is {'ece': 9} in the metrics, and that of the collection is 2"):
        MetricCollection(of_nine, ignore_index=255)
    with pytest.raises(ValueError, match=r"ignore_index is {'ece': 9, 'tace': 8} in the metrics; it must be one"):
        MetricCollection(of_nine | {"tace": TACEMetric(ignore_index=8)})
    with pytest.raises(ValueError, match=r"ignore_index is 0\.5"):
        ECEMetric(ignore_index=0.5, region="foreground")
