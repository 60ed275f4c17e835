"""ECE and CECE: the authors' numbers, the laws, the refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from monai.metrics import CalibrationErrorMetric
from torchmetrics.functional.classification import multiclass_calibration_error

from calib_monai.bins import top_label_bins
from calib_monai.metrics import BrierMetric, CECEMetric, ECEMetric, HD95Metric, MetricCollection, NLLMetric, TACEMetric
from calib_monai.metrics.calibration import CalibrationMetric
from calib_monai.regions import REGIONS

Volume = Callable[[str], tuple[torch.Tensor, torch.Tensor]]


@pytest.mark.parametrize("volume", ["V1", "V2"])
def test_ece_and_cece_are_the_authors(volume: str, golden: dict[str, dict[str, Any]], golden_volume: Volume) -> None:
    expected = golden[f"calib_{volume}"]["expected"]
    probs, target = golden_volume(volume)
    for metric, key in (
        (ECEMetric(region="foreground"), "ECE"),
        (CECEMetric(region="foreground"), "CECE"),
        (ECEMetric(region="all"), "ECE_all_voxels"),
        (CECEMetric(region="all"), "CECE_all_voxels"),
    ):
        metric(y_pred=probs, y=target)
        assert metric.aggregate().item() == pytest.approx(expected[key], rel=1e-4, abs=2e-6)


# netcal 1.4.0 on the foreground voxels in float64: ECE and ACE with 15 bins.
NETCAL = {
    "V1": (0.008355018259058303, 0.055959469666345046),
    "V2": (0.014851594391614866, 0.08903528895823443),
}


@pytest.mark.parametrize("volume", ["V1", "V2"])
def test_other_libraries_agree_on_the_foreground(volume: str, golden_volume: Volume) -> None:
    probs, target = golden_volume(volume)
    inside = (target != 0)[0, 0]
    bins = top_label_bins(probs[0][:, inside], target[0, 0][inside])
    average = (bins.mean_confidence() - bins.accuracy()).abs().nanmean()
    ours = bins.expected_calibration_error(), average
    assert [value.item() for value in ours] == pytest.approx(NETCAL[volume], rel=1e-5)
    theirs = multiclass_calibration_error(probs[0][:, inside].T, target[0, 0][inside], num_classes=4, n_bins=15)
    assert ours[0].item() == pytest.approx(theirs.item(), abs=2e-5)


def test_cece_over_all_voxels_is_monais_mean_over_classes_and_images(golden_volume: Volume) -> None:
    ours, theirs = CECEMetric(region="all"), CalibrationErrorMetric(num_bins=15, metric_reduction="mean")
    for name in ("V1", "V2"):
        probs, target = golden_volume(name)
        ours(y_pred=probs, y=target)
        theirs(y_pred=probs, y=torch.nn.functional.one_hot(target[:, 0].long(), 4).movedim(-1, 1))
    assert ours.aggregate().item() == pytest.approx(theirs.aggregate().item(), rel=1e-4)


def test_the_mean_over_volumes_is_the_authors(golden: dict[str, dict[str, Any]], golden_volume: Volume) -> None:
    metric = ECEMetric(region="foreground")
    for name in ("V1", "V2", "V3"):
        probs, target = golden_volume(name)
        metric(y_pred=probs, y=target)
    expected = golden["evaluator_V1V2V3"]["expected"]
    assert metric.aggregate().item() == pytest.approx(expected["mece"], abs=5e-5)  # they round each volume to 1e-4


@pytest.mark.parametrize("metric_class", [ECEMetric, CECEMetric])
def test_labels_are_read_as_a_map_or_one_hot_as_a_batch_or_a_list(
    metric_class: type[ECEMetric | CECEMetric], golden_volume: Volume
) -> None:
    probs, target = golden_volume("V1")
    one_hot = torch.nn.functional.one_hot(target[:, 0], 4).movedim(-1, 1)
    results = []
    for y_pred, y in ((probs, target), (probs, one_hot), ([probs[0]], [target[0].float()])):
        metric = metric_class(region="foreground")
        metric(y_pred=y_pred, y=y)
        results.append(metric.aggregate().item())
    assert results[0] == results[1] == results[2]


def test_an_image_without_foreground_is_left_out_of_the_mean(golden_volume: Volume) -> None:
    probs, target = golden_volume("V1")
    alone, both = ECEMetric(region="foreground"), ECEMetric(region="foreground")
    alone(y_pred=probs, y=target)
    both(y_pred=torch.cat([probs, probs]), y=torch.cat([target, torch.zeros_like(target)]))
    assert math.isnan(both.values()[1].item())
    assert both.aggregate().item() == alone.aggregate().item()


def test_a_network_that_is_as_right_as_it_says_has_no_error() -> None:
    probs = torch.tensor([0.75, 0.25]).view(1, 2, 1, 1).expand(1, 2, 4, 1)
    target = torch.tensor([0, 0, 0, 1]).view(1, 1, 4, 1)
    for metric in (ECEMetric(region="all"), CECEMetric(region="all")):
        metric(y_pred=probs, y=target)
        assert metric.aggregate().item() == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize(
    ("probs", "said"),
    [
        (torch.tensor([4.0, -1.0]), "-1 to 4"),
        (torch.tensor([0.9, 0.9]), "sum to 1"),
        (torch.tensor([math.nan, 0.5]), "NaN"),
        (torch.tensor([math.inf, 0.5]), "infinite"),
        (torch.tensor([0.5, 0.49]), "sum to 1"),
        (torch.tensor([1.0, 0.0]), "hard labels"),
    ],
)
def test_what_is_no_probability_is_refused(probs: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ECEMetric(region="foreground")(y_pred=probs.view(1, 2, 1, 1).expand(1, 2, 2, 2), y=torch.ones(1, 1, 2, 2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("metric_class", [ECEMetric, CECEMetric, TACEMetric, BrierMetric, NLLMetric])
def test_probabilities_in_half_precision_are_measured(
    metric_class: type[CalibrationMetric], dtype: torch.dtype, golden_volume: Volume
) -> None:
    probs, target = golden_volume("V1")
    half = probs.log().to(dtype).softmax(dim=1)
    rounded = half.double()  # no longer sums to one, as softmax in half precision does not
    expected = metric_class(region="foreground")
    expected(y_pred=rounded / rounded.sum(dim=1, keepdim=True), y=target)
    measured = metric_class(region="foreground")
    measured(y_pred=half, y=target)
    assert measured.aggregate().item() == pytest.approx(expected.aggregate().item(), abs=5e-3)


def test_a_likelihood_in_half_precision_is_not_cut_off() -> None:
    probs = torch.tensor([[2.4e-7, 1.0]], dtype=torch.float16).view(1, 2, 1, 1).expand(1, 2, 2, 2)
    metric = NLLMetric(region="all")
    metric(y_pred=probs, y=torch.zeros(1, 1, 2, 2))
    assert metric.aggregate().item() == pytest.approx(-math.log(probs[0, 0, 0, 0].item()))


def test_logits_are_refused_where_nothing_is_measured_too() -> None:
    with pytest.raises(ValueError, match="-2 to 3"):
        ECEMetric(region="foreground")(
            y_pred=torch.tensor([3.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 4, 4), y=torch.zeros(1, 1, 4, 4)
        )


def test_a_single_value_that_is_not_a_number_is_found() -> None:
    probs = torch.full((1, 2, 8, 8), 0.5)
    probs[0, 0, 3, 4] = math.nan
    with pytest.raises(ValueError, match="NaN"):
        ECEMetric(region="foreground")(y_pred=probs, y=torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("metric_class", [ECEMetric, CECEMetric, TACEMetric, BrierMetric, NLLMetric])
def test_images_one_by_one_are_the_batch(
    metric_class: type[CalibrationMetric], region: str, golden_volume: Volume
) -> None:
    pairs = [tuple(part[..., :6] for part in golden_volume(name)) for name in ("V1", "V2")]
    together, apart = metric_class(region=region), metric_class(region=region)
    together(*(torch.cat(parts) for parts in zip(*pairs, strict=True)))
    for pair in pairs:
        apart(*pair)
    torch.testing.assert_close(together.values(), apart.values())
    assert together.aggregate().item() == apart.aggregate().item()
    torch.testing.assert_close(together.get_buffer(), apart.values())


def test_values_are_reduced_as_monai_reduces_them(golden_volume: Volume) -> None:
    metric = CECEMetric(region="foreground")
    probs, target = golden_volume("V1")
    for half in (slice(0, 3), slice(3, None)):
        metric(y_pred=probs[..., half], y=target[..., half])
    values = metric.values()
    torch.testing.assert_close(metric.aggregate("none"), values)
    torch.testing.assert_close(metric.aggregate("mean_batch"), values.nanmean(dim=0).float())
    torch.testing.assert_close(metric.aggregate(), values.nanmean(dim=1).nanmean())
    with pytest.raises(ValueError, match="median"):
        metric.aggregate("median")
    hd95 = HD95Metric(num_classes=4)
    hd95(y_pred=torch.ones(2, 1, 4, 4, 4), y=torch.ones(2, 1, 4, 4, 4))
    torch.testing.assert_close(hd95.aggregate("mean_batch"), torch.tensor([0.0, math.nan, math.nan]), equal_nan=True)
    pooled = CECEMetric(region="foreground", pooled=True)
    pooled(y_pred=probs, y=target)
    with pytest.raises(ValueError, match="reduction is mean_batch; all images are measured together"):
        pooled.aggregate("mean_batch")


@pytest.mark.parametrize("metric_class", [ECEMetric, CECEMetric, BrierMetric, NLLMetric])
def test_pooled_is_one_image_of_all_voxels(metric_class: type[CalibrationMetric], golden_volume: Volume) -> None:
    probs, target = golden_volume("V1")
    pooled, whole = metric_class(pooled=True, region="foreground"), metric_class(region="foreground")
    for half in (slice(0, 3), slice(3, None)):
        pooled(y_pred=probs[..., half], y=target[..., half])
    pooled(y_pred=probs, y=torch.zeros_like(target))  # without foreground: nothing to add
    whole(y_pred=probs, y=target)
    assert pooled.aggregate().item() == pytest.approx(whole.aggregate().item(), rel=1e-9)


def test_one_hot_labels_that_are_not_one_hot_are_refused() -> None:
    probs, y = torch.full((1, 2, 4, 4), 0.5), torch.zeros(1, 2, 4, 4)
    with pytest.raises(ValueError, match="not one-hot"):
        ECEMetric(region="foreground")(y_pred=probs, y=y)
    with pytest.raises(ValueError, match="not one-hot"):
        ECEMetric(region="foreground")(y_pred=probs, y=y + 1)


def test_shapes_that_do_not_fit_are_refused() -> None:
    probs = torch.full((1, 2, 4, 4), 0.5)
    with pytest.raises(ValueError, match=r"\(2, 1, 4, 4\); only their channels \(axis 1\) may differ"):
        ECEMetric(region="foreground")(y_pred=probs, y=torch.ones(2, 1, 4, 4))
    with pytest.raises(ValueError, match="int64"):
        ECEMetric(region="foreground")(y_pred=probs.long(), y=torch.ones(1, 1, 4, 4))
    with pytest.raises(ValueError, match=r"\(1, 1, 4, 5\)"):
        ECEMetric(region="foreground")(y_pred=probs, y=torch.ones(1, 1, 4, 5))
    with pytest.raises(ValueError, match="3 channels"):
        ECEMetric(region="foreground")(y_pred=probs, y=torch.ones(1, 3, 4, 4))


@pytest.mark.parametrize(
    "metric", [ECEMetric(region="foreground"), HD95Metric(), MetricCollection({"ece": ECEMetric(region="foreground")})]
)
def test_an_image_without_its_label_is_refused(metric: ECEMetric | HD95Metric | MetricCollection) -> None:
    one_hot = torch.tensor([1.0, 0.0]).view(2, 1, 1).expand(2, 4, 4)
    with pytest.raises(ValueError, match="y_pred has 2 images and y has 1"):
        metric([one_hot, one_hot], [one_hot])
    with pytest.raises(ValueError, match="y_pred is an empty list"):
        metric([], [])


@pytest.mark.parametrize("value", [255, -1, 0.5])
def test_labels_that_are_no_class_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=f"{value}"):
        ECEMetric(region="foreground")(y_pred=torch.full((1, 2, 4, 4), 0.5), y=torch.full((1, 1, 4, 4), value))


def test_nothing_measurable_is_not_a_perfect_score() -> None:
    metric = ECEMetric(region="foreground")
    metric(y_pred=torch.full((1, 2, 4, 4), 0.5), y=torch.zeros(1, 1, 4, 4))
    assert math.isnan(metric.aggregate().item())


def test_wrong_arguments_are_refused_by_value() -> None:
    with pytest.raises(ValueError, match="y_pred has 1 channel"):
        ECEMetric(region="foreground")(y_pred=torch.zeros(1, 1, 4, 4), y=torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match=r"num_bins is 1\.5"):
        ECEMetric(num_bins=1.5, region="foreground")
    with pytest.raises(ValueError, match="num_bins is 0"):
        ECEMetric(num_bins=0, region="foreground")
    with pytest.raises(ValueError, match="'lesion'"):
        CECEMetric(region="lesion")
    with pytest.raises(ValueError, match="nothing was measured"):
        ECEMetric(region="foreground").aggregate()
