"""What an evaluation would measure of probabilities, before and after a fit: what the fit costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from calib_monai.bins import top_label_bins
from calib_monai.regions import PLAUSIBLE, Everywhere, Foreground, Plausible, region_voxels

MEASURED = (Everywhere(), Plausible(), Foreground())
SMALLEST = torch.finfo(torch.float32).tiny  # lower probabilities count as this one, as in `NLLMetric`


@dataclass(frozen=True)
class Errors:
    """Errors of probabilities, per volume, then mean over volumes; NaN where no volume has a value.

    Attributes:
        nll_all: mean negative log-likelihood of the labels of all voxels, in nats, as `NLLMetric()`.
        ece_all: calibration error of all voxels, as `ECEMetric(region="all")`.
        ece_plausible: that of plausible voxels, as `ECEMetric()`. It is told by the probabilities that are measured.
        ece_foreground: that of voxels whose label is not background, as the papers measure it.
        volume_errors: of each structure, class 1 first, the distance of the expected volume from the true one over the
            true one; expected is the sum of the probabilities that are at least 0.01, as an inference writes it.
    """

    nll_all: float
    ece_all: float
    ece_plausible: float
    ece_foreground: float
    volume_errors: tuple[float, ...]

    def volume_error(self) -> float:
        """The mean over structures; NaN without any."""
        return torch.tensor(self.volume_errors).nanmean().item()


def errors_of(probs: Tensor, labels: Tensor, ignored: Tensor | None = None) -> Tensor:
    """The errors of each image, (B, 3 + C), as `mean_errors` takes them, on the CPU.

    Args:
        probs: probabilities, (B, C, H, W[, D]).
        labels: class indices, (B, 1, H, W[, D]).
        ignored: voxels that do not count, (B, 1, H, W[, D]), bool.
    """
    voxels = [region_voxels(region, labels, probs, ignored) for region in MEASURED]
    return torch.stack([_of_image(*image) for image in zip(*voxels, strict=True)])


def mean_errors(rows: Iterable[Tensor]) -> Errors:
    """The mean over images of what `errors_of` gave of them."""
    nll, ece_all, ece_plausible, ece_foreground, *volumes = torch.cat(list(rows)).nanmean(dim=0).tolist()
    return Errors(nll, ece_all, ece_plausible, ece_foreground, tuple(volumes))


def _of_image(*regions: tuple[Tensor, Tensor]) -> Tensor:
    """The errors of an image, (3 + C,), from probabilities (C, N) and labels (N,) of the voxels of each region."""
    probs, labels = regions[0]
    nll = -probs.gather(0, labels.long().unsqueeze(0)).double().clamp(min=SMALLEST).log().mean()
    of_regions = [top_label_bins(*voxels).expected_calibration_error() for voxels in regions]
    expected = torch.stack([_sum_of_plausible(of_class) for of_class in probs[1:]])
    true = labels.long().bincount(minlength=len(probs))[1:].double()
    relative = ((expected - true).abs() / true).masked_fill(true == 0, float("nan"))
    return torch.cat([torch.stack([nll, *of_regions]), relative]).cpu()


def _sum_of_plausible(probs: Tensor) -> Tensor:
    """The sum of the probabilities of a class that are at least 0.01, a scalar, float64."""
    return probs.masked_fill(probs < PLAUSIBLE, 0).sum(dtype=torch.float64)
