"""Laws: labels are drawn from known probabilities, so it is known what each measure of these must say.

The sampling error of an error of calibration is derived, not fitted. Where the network is exact, a voxel of confidence
c is right with probability c, so in each bin the sum S of (right - c) is 0 on average. Whatever the bins are, if they
are chosen without the label, the squares of S add up to V = sum of c (1 - c) on average. So the mean of sum |S| over B
bins is at most sqrt(B V), by Cauchy and Schwarz, and its standard deviation at most sqrt(V), by Efron and Stein. The
error is that sum over the number of voxels. `DEVIATIONS` standard deviations above the mean are allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from math import sqrt

import pytest
import torch
from torch import Tensor

from calib_monai import metrics
from calib_monai.metrics import BrierMetric, CECEMetric, ECEMetric, NLLMetric, TACEMetric
from calib_monai.metrics.calibration import BinnedMetric, CalibrationMetric
from calib_monai.regions import REGIONS, Everywhere, Region, region_of, region_voxels

DEVIATIONS = 4
IMAGES = 3
FIELDS = {"2D, 2 classes": (2, (128, 120)), "3D, 4 classes": (4, (32, 28, 24))}  # number of classes, size
SHIFT = 1.0  # added to the logits of the foreground classes
NETWORKS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "exact": lambda logits, _: logits,
    "more foreground": lambda logits, foreground: logits + SHIFT * foreground,
    "less foreground": lambda logits, foreground: logits - SHIFT * foreground,
    "sharpened": lambda logits, _: 2 * logits,
    "flattened": lambda logits, _: logits / 2,
}
ALTERED = [name for name in NETWORKS if name != "exact"]
MEASURES: dict[str, Callable[[Region], CalibrationMetric]] = {
    "ECE": lambda region: ECEMetric(region=region),
    "ECE, pooled": lambda region: ECEMetric(region=region, pooled=True),
    "ECE, debiased": lambda region: ECEMetric(region=region, debiased=True),
    "CECE": lambda region: CECEMetric(region=region),
    "TACE": lambda region: TACEMetric(region=region),
    "TACE, equal width": lambda region: TACEMetric(region=region, adaptive=False, threshold=0.01),
    "NLL": lambda region: NLLMetric(region=region),
    "Brier": lambda region: BrierMetric(region=region),
}
ERRORS = [name for name, make in MEASURES.items() if isinstance(make(Everywhere()), BinnedMetric)]
SCORES = [name for name in MEASURES if name not in ERRORS]
PROPER = [name for name, kind in REGIONS.items() if kind.proper]
OF_LABEL = [name for name in REGIONS if name not in PROPER]


@dataclass(frozen=True)
class Given(Region):
    """The voxels that a region has of other probabilities than those that are measured."""

    of: Region
    probs: Tensor = field(compare=False)
    name = "given"
    proper = True

    def _inside(self, target: Tensor, probs: Tensor, ignored: Tensor | None) -> Tensor:  # noqa: ARG002
        return self.of.mask(target, self.probs, ignored)


@cache
def exact_logits(kind: str) -> Tensor:
    """Logits (IMAGES, C, ...) of blurred blobs in which no voxel is certain; the last of several is rare."""
    num_classes, size = FIELDS[kind]
    generator = torch.Generator().manual_seed(0)
    axes = torch.meshgrid(*(torch.arange(side) / side for side in size), indexing="ij")
    grid, images = torch.stack(axes), []
    for _ in range(IMAGES):
        blobs = [torch.zeros(size)]
        for k in range(1, num_classes):
            radius, highest = (0.1, 0.5) if k == 3 else (0.3, 2.5)
            center = 0.3 + 0.4 * torch.rand(len(size), 1, generator=generator)
            depth = radius - (grid.flatten(1) - center).norm(dim=0).view(size)
            blobs.append(torch.minimum(highest * depth / radius, 20 * depth))
        images.append(torch.stack(blobs))
    return torch.stack(images)


@cache
def network(kind: str, name: str) -> Tensor:
    """Probabilities (IMAGES, C, ...) of a network."""
    logits = exact_logits(kind)
    foreground = torch.ones_like(logits)
    foreground[:, 0] = 0
    return NETWORKS[name](logits, foreground).softmax(dim=1)


@cache
def labels(kind: str) -> Tensor:
    """Labels (IMAGES, 1, ...) drawn from the probabilities of the exact network, voxel by voxel."""
    probs = network(kind, "exact").movedim(1, -1)
    drawn = probs.flatten(0, -2).multinomial(1, generator=torch.Generator().manual_seed(1))
    return drawn.view(probs.shape[:-1]).unsqueeze(1)


@cache
def said(measure: str, region: Region, kind: str, name: str) -> float:
    """What a measure says of a network."""
    metric = MEASURES[measure](region)
    metric(y_pred=network(kind, name), y=labels(kind))
    return metric.aggregate().item()


@cache
def voxels(region: Region, kind: str, name: str) -> list[Tensor]:
    """For each image the probabilities (C, N) of a network in a region."""
    return [probs for probs, _ in region_voxels(region, labels(kind), network(kind, name))]


def looked_at(metric: BinnedMetric, probs: Tensor) -> list[tuple[Tensor, int]]:
    """The confidences behind each error that a metric averages, and in how many bins these can be.

    Args:
        metric: an error of calibration.
        probs: of an image in the metric's region, (C, N).
    """
    if isinstance(metric, ECEMetric):  # a highest probability is at least 1 / C
        return [(probs.amax(dim=0), metric.num_bins - metric.num_bins // len(probs))]
    least = metric.threshold if isinstance(metric, TACEMetric) else -1
    return [(of_class[of_class > least], metric.num_bins) for of_class in probs]


def highest_by_chance(measure: str, region: Region, kind: str, name: str) -> float:
    """The highest error of calibration that these probabilities have by chance if they are exact; see above."""
    metric = MEASURES[measure](region)
    assert isinstance(metric, BinnedMetric)
    images = [
        torch.tensor([[bins, (c * (1 - c)).sum().item(), len(c)] for c, bins in looked_at(metric, probs)])
        for probs in voxels(region, kind, name)
    ]
    if metric.of_all_images:
        bins, variance, count = torch.stack(images).sum(dim=0).T
        images = [torch.stack([bins / len(images), variance, count], dim=1)]
    bins, variance, count = torch.stack(images, dim=-1).unbind(dim=1)  # each (errors, images)
    mean = ((bins * variance).sqrt() / count).mean()
    deviation = (variance / count.square()).sum(dim=1).sqrt().mean() / len(images)  # of images, which are independent
    return (mean + DEVIATIONS * deviation).item()


def entropy_and_chance(measure: str, region: Region, kind: str) -> tuple[float, float]:
    """A score of the exact network on average over all labels, and `DEVIATIONS` standard deviations of it."""
    means, variances = [], []
    for probs in voxels(region, kind, "exact"):
        cost = -probs.log() if measure == "NLL" else 1 - 2 * probs + probs.square().sum(dim=0)  # of each label
        mean = (probs * cost).sum(dim=0)
        means.append(mean.mean().item())
        variances.append(((probs * cost.square()).sum(dim=0) - mean.square()).mean().item() / probs.shape[1])
    return sum(means) / len(means), DEVIATIONS * sqrt(sum(variances)) / len(means)


def test_every_measure_of_probabilities_is_held_to_the_laws() -> None:
    public = [getattr(metrics, name) for name in metrics.__all__]
    of_probabilities = {kind for kind in public if isinstance(kind, type) and issubclass(kind, CalibrationMetric)}
    elsewhere = {metrics.VolumeErrorMetric}  # has no region: its law is in test_volume_error.py
    assert of_probabilities - elsewhere == {type(make(Everywhere())) for make in MEASURES.values()}


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("name", PROPER)
@pytest.mark.parametrize("measure", ERRORS)
def test_on_a_proper_region_only_the_exact_network_has_no_error(measure: str, name: str, kind: str) -> None:
    region = region_of(name)
    assert said(measure, region, kind, "exact") <= highest_by_chance(measure, region, kind, "exact")
    for altered in ALTERED:
        assert said(measure, region, kind, altered) > highest_by_chance(measure, region, kind, altered)


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("name", PROPER)
@pytest.mark.parametrize("measure", SCORES)
def test_on_a_proper_region_the_exact_network_scores_its_entropy_and_another_more(
    measure: str, name: str, kind: str
) -> None:
    region = region_of(name)
    exact, (entropy, chance) = said(measure, region, kind, "exact"), entropy_and_chance(measure, region, kind)
    assert abs(exact - entropy) <= chance
    # On the same voxels: a region that is told by the probabilities is another one for each network.
    same = Given(region, network(kind, "exact"))
    assert all(said(measure, same, kind, altered) > exact for altered in ALTERED)


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("name", OF_LABEL)
@pytest.mark.parametrize("measure", SCORES)
def test_on_a_region_that_depends_on_the_label_the_exact_network_scores_more_than_its_entropy(
    measure: str, name: str, kind: str
) -> None:
    region = region_of(name)
    entropy, chance = entropy_and_chance(measure, region, kind)
    assert said(measure, region, kind, "exact") > entropy + chance


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("name", ["foreground", "union"])
@pytest.mark.parametrize("measure", ERRORS)
def test_on_label_foreground_and_union_the_exact_network_has_an_error(measure: str, name: str, kind: str) -> None:
    region = region_of(name)
    assert said(measure, region, kind, "exact") > highest_by_chance(measure, region, kind, "exact")


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize(
    ("measure", "name"),
    [*((measure, "foreground") for measure in MEASURES), *((measure, "union") for measure in ("ECE", *SCORES))],
)
def test_on_label_foreground_and_union_a_network_that_is_wrong_looks_better(measure: str, name: str, kind: str) -> None:
    region = region_of(name)
    exact = said(measure, region, kind, "exact")
    assert min(said(measure, region, kind, altered) for altered in ALTERED) < exact
