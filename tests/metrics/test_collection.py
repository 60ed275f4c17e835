"""A collection of metrics says what each says alone, and selects the voxels of a region once."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any
from unittest.mock import patch

import pytest
import torch
from monai.data import MetaTensor

from calib_monai.metrics import (
    BrierMetric,
    CECEMetric,
    ECEMetric,
    ExpectedDiceMetric,
    HD95Metric,
    MetricCollection,
    NLLMetric,
    TACEMetric,
)
from calib_monai.metrics.by_name import metrics_by_name
from calib_monai.metrics.calibration import BinnedMetric, CalibrationMetric
from calib_monai.metrics.collection import OF_SUMS
from calib_monai.regions import Band, Boundary, Everywhere, Foreground, Plausible, Region, Union

ROUNDING: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-14, "equal_nan": True}
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
        "ece_plausible": ECEMetric(),
        "tace_union": TACEMetric(region="union"),
        "tace_wide_union": TACEMetric(region="union", adaptive=False),
        "tace_wide_foreground": TACEMetric(region="foreground", adaptive=False, threshold=0.01),
        "ece_of_10_foreground": ECEMetric(10, region="foreground"),
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
            torch.testing.assert_close(of_images[name], metric(y_pred=probs, y=labels), **ROUNDING)
    assert list(together.aggregate()) == list(together.values()) == list(alone)
    for name, metric in alone.items():
        torch.testing.assert_close(together.aggregate()[name], metric.aggregate(), **ROUNDING)
        torch.testing.assert_close(together.values()[name], metric.values(), **ROUNDING)


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


def test_each_voxel_is_binned_once_for_all_regions(golden_volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    binned = []
    sums = ECEMetric.sums

    def counted(metric: ECEMetric, probs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        binned.append(labels.numel())
        return sums(metric, probs, labels)

    monkeypatch.setattr(ECEMetric, "sums", counted)
    probs, labels = golden_volume("V1")
    regions = [Foreground(), Plausible(), Union(), Boundary(), Band()]
    MetricCollection({region.name: ECEMetric(region=region) for region in regions})(probs, labels)
    anywhere = torch.stack([region.mask(labels, probs) for region in regions]).any(dim=0)
    assert sum(binned) == anywhere.sum()


@pytest.mark.parametrize("ignore_index", [None, 2])
def test_any_number_of_regions_may_overlap(golden_volume: Volume, ignore_index: int | None) -> None:
    probs, labels = golden_volume("V1")
    some: list[Region] = [Everywhere(), Foreground(), Union(), Boundary(), Band(0), Band(2)]
    regions = [*some, *(Plausible(share / 10) for share in range(11))]
    make = {f"{kind.__name__} {region}": (kind, region) for kind in (ECEMetric, TACEMetric) for region in regions}
    together = MetricCollection({name: kind(region=region) for name, (kind, region) in make.items()}, ignore_index)
    measured = together(probs, labels)
    for name, (kind, region) in make.items():
        alone = kind(region=region, ignore_index=ignore_index)(probs, labels)
        torch.testing.assert_close(measured[name], alone, **ROUNDING)


def test_a_metric_of_ones_own_shares_its_sums_with_no_other(golden_volume: Volume) -> None:
    class PowerMetric(BinnedMetric):
        """A mean of powers of the background's probability; what it depends on is nobody else's business."""

        def __init__(self, region: str, power: object) -> None:
            super().__init__(region=region)
            self._power = power

        def sums(self, probs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            power = self._power[0] if isinstance(self._power, list) else self._power
            return torch.stack([probs[0].double().pow(power).sum(), torch.tensor(labels.numel())]).unsqueeze(0)

        def measured(self, rows: torch.Tensor) -> torch.Tensor:
            return rows[..., 0] / rows[..., 1]

    probs, labels = golden_volume("V1")
    kinds = {"one": 1, "two": 2, "listed": [3]}
    metrics = {
        f"{name}_{region}": (region, power) for name, power in kinds.items() for region in ("foreground", "plausible")
    }
    measured = MetricCollection({name: PowerMetric(*made) for name, made in metrics.items()})(probs, labels)
    for name, made in metrics.items():
        torch.testing.assert_close(measured[name], PowerMetric(*made)(probs, labels), **ROUNDING)


def test_of_each_setting_it_is_known_whether_sums_depend_on_it() -> None:
    for kind, settings in OF_SUMS.items():
        others = signature(kind).parameters.keys() - settings
        assert others <= {"region", "pooled", "debiased", "ignore_index"}


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


@pytest.mark.parametrize("ignore_index", [None, 3])
def test_a_large_image_is_summed_in_pieces(ignore_index: int | None) -> None:
    """Planes that hold nothing but sure voxels are no hard labels."""
    torch.manual_seed(0)
    probs = torch.randn(1, 3, 6, 5, 4).mul(4).softmax(dim=1)
    probs[:, :, 2:4] = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1, 1)
    label = torch.randint(0, 3 if ignore_index is None else 4, (1, 1, 6, 5, 4))
    names = ("nll_all", "ece_plausible", "cece_union", "tace_foreground", "brier_all")
    values = []
    for piece in (1000, 40, 7):
        metrics = MetricCollection(metrics_by_name(names), ignore_index)
        with (
            patch("calib_monai.metrics.inputs.PIECE", piece),
        ):
            metrics(y_pred=probs, y=label)
            expected = ExpectedDiceMetric(ignore_index)(y_pred=probs, y=label)
        values.append(torch.stack([*metrics.aggregate().values(), *expected[0]]))
    torch.testing.assert_close(values[1], values[0])
    torch.testing.assert_close(values[2], values[0])
