"""A collection of metrics says what each says alone, and selects the voxels of a region once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from monai.data import MetaTensor

from calib_monai.metrics import (
    BrierMetric,
    CECEMetric,
    ECEMetric,
    HD95Metric,
    MetricCollection,
    NLLMetric,
    TACEMetric,
    inputs,
)
from calib_monai.metrics.calibration import CalibrationMetric
from calib_monai.regions import Region

Volume = Callable[[str], tuple[torch.Tensor, torch.Tensor]]


def every_metric() -> dict[str, CalibrationMetric]:
    """Regions that alternate, as whoever adds a metric to the end may leave them."""
    return {
        "ece_foreground": ECEMetric(region="foreground"),
        "ece_union": ECEMetric(region="union"),
        "cece_foreground": CECEMetric(region="foreground"),
        "tace_boundary": TACEMetric(region="boundary"),
        "cece_union": CECEMetric(region="union", pooled=True),
        "brier": BrierMetric(region="all"),
        "nll_foreground": NLLMetric(region="foreground"),
    }


@pytest.fixture
def images(golden_volume: Volume) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Probabilities (1, 4, H, W, D) and labels of two volumes, and of one without foreground."""
    pairs = [tuple(part[..., :6] for part in golden_volume(name)) for name in ("V1", "V2")]
    return [(probs, labels) for probs, labels in pairs] + [(pairs[0][0], torch.zeros_like(pairs[0][1]))]


def test_each_metric_says_what_it_says_alone(images: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    together, alone = MetricCollection(every_metric()), every_metric()
    for probs, labels in images:
        of_images = together(y_pred=probs, y=labels)
        for name, metric in alone.items():
            torch.testing.assert_close(of_images[name], metric(y_pred=probs, y=labels), rtol=0, atol=0, equal_nan=True)
    assert list(together.aggregate()) == list(together.values()) == list(alone)
    for name, metric in alone.items():
        assert together.aggregate()[name].item() == metric.aggregate().item()
        torch.testing.assert_close(together.values()[name], metric.values(), rtol=0, atol=0, equal_nan=True)


def test_a_batch_is_its_list_and_its_images(images: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    probs, labels = (torch.cat(parts) for parts in zip(*images, strict=True))
    one_hot = torch.nn.functional.one_hot(labels[:, 0], 4).movedim(-1, 1)
    collections = [MetricCollection(every_metric()) for _ in range(4)]
    collections[0](y_pred=probs, y=labels)
    collections[1](y_pred=list(probs), y=[MetaTensor(image.float()) for image in labels])
    collections[2](y_pred=probs, y=one_hot)
    for image in images:
        collections[3](*image)
    for collection in collections[1:]:
        torch.testing.assert_close(collection.aggregate(), collections[0].aggregate())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_measures_what_the_cpu_does(images: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    here, there = MetricCollection(every_metric()), MetricCollection(every_metric())
    for probs, labels in images:
        here(probs, labels)
        there(probs.cuda(), labels.cuda())
    torch.testing.assert_close(there.values(), here.values(), rtol=1e-9, atol=0, equal_nan=True, check_device=False)
    torch.testing.assert_close(there.aggregate(), here.aggregate(), rtol=1e-9, atol=0, check_device=False)


def test_the_voxels_of_a_region_are_selected_once(golden_volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    selected = []
    region_voxels = inputs.region_voxels

    def counted(region: Region, *of: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        selected.append(region.name)
        return region_voxels(region, *of)

    monkeypatch.setattr(inputs, "region_voxels", counted)
    MetricCollection(every_metric())(*golden_volume("V1"))
    assert selected == ["foreground", "union", "boundary", "all"]


def test_what_was_measured_is_forgotten(golden_volume: Volume) -> None:
    metrics = MetricCollection(every_metric())
    metrics(*golden_volume("V1"))
    metrics.reset()
    with pytest.raises(ValueError, match="nothing was measured yet"):
        metrics.aggregate()
    metrics(*golden_volume("V2"))
    assert len(metrics.values()["ece_foreground"]) == 1


def test_of_refused_images_nothing_is_kept(golden_volume: Volume) -> None:
    probs, labels = golden_volume("V1")
    metrics = MetricCollection(every_metric())
    metrics(probs, labels)
    for wrong, said in ((probs.log(), "apply softmax"), (probs[..., 1:], r"channels \(axis 1\) may differ")):
        with pytest.raises(ValueError, match=said):
            metrics(wrong, labels)
    outside = probs.clone()
    outside[0, 0][labels[0, 0] == 0] = 2  # where only the metrics of all voxels look
    with pytest.raises(ValueError, match="to 2; probabilities lie in"):
        metrics(outside, labels)
    assert {len(values) for values in metrics.values().values()} == {1}


def test_what_measures_no_probabilities_is_refused() -> None:
    with pytest.raises(ValueError, match="hd95 is of type HD95Metric; it must be a measure of probabilities"):
        MetricCollection({"ece": ECEMetric(region="foreground"), "hd95": HD95Metric()})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="ece is of type NoneType"):
        MetricCollection({"ece": None})  # type: ignore[dict-item]
    for wrong in ({}, [ECEMetric(region="foreground")]):
        with pytest.raises(ValueError, match="must be a dictionary of at least one metric by its name"):
            MetricCollection(wrong)  # type: ignore[arg-type]


def test_one_metric_under_two_names_is_refused() -> None:
    metric = ECEMetric(region="foreground")
    with pytest.raises(ValueError, match="metrics a, b are not one each"):
        MetricCollection({"a": metric, "b": metric})
