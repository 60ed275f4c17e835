"""The errors that an evaluation would measure, before and after a fit of a calibrator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from calib_monai.metrics import ECEMetric, NLLMetric, VolumeErrorMetric
from calib_monai.regions import region_voxels

METRICS = (NLLMetric(), ECEMetric(region="all"), ECEMetric(), ECEMetric(region="foreground"), VolumeErrorMetric())


@dataclass(frozen=True)
class Errors:
    """Errors of probabilities, per volume, then averaged over volumes; NaN if no volume has a value.

    Attributes:
        nll_all: mean negative log-likelihood of the labels of all voxels, in nats, as `NLLMetric()`.
        ece_all: calibration error of all voxels, as `ECEMetric(region="all")`.
        ece_plausible: calibration error of plausible voxels, as `ECEMetric()`; the measured probabilities decide which
            voxels are plausible.
        ece_foreground: calibration error of voxels whose label is not background, as in the papers.
        volume_errors: for each structure, class 1 first, the relative error of its expected volume, as
            `VolumeErrorMetric()`.
    """

    nll_all: float
    ece_all: float
    ece_plausible: float
    ece_foreground: float
    volume_errors: tuple[float, ...]

    def volume_error(self) -> float:
        """The mean over structures; NaN if there are none."""
        return torch.tensor(self.volume_errors).nanmean().item()


def errors_of(probs: Tensor, labels: Tensor, ignored: Tensor | None = None) -> Tensor:
    """The errors of each image, (B, 3 + C), as `mean_errors` takes them, on the CPU.

    Args:
        probs: probabilities, (B, C, H, W[, D]).
        labels: class indices, (B, 1, H, W[, D]).
        ignored: voxels that do not count, (B, 1, H, W[, D]), bool.
    """
    regions = dict.fromkeys(metric.region for metric in METRICS)
    voxels = {region: region_voxels(region, labels, probs, ignored) for region in regions}
    rows = [[metric.measured(metric.sums(*image)) for image in voxels[metric.region]] for metric in METRICS]
    return torch.cat([torch.stack(of_metric).cpu() for of_metric in rows], dim=1)


def mean_errors(rows: Iterable[Tensor]) -> Errors:
    """The mean over images of the errors from `errors_of`."""
    nll, ece_all, ece_plausible, ece_foreground, *volumes = torch.cat(list(rows)).nanmean(dim=0).tolist()
    return Errors(nll, ece_all, ece_plausible, ece_foreground, tuple(volumes))
