"""What fitting did: likelihood and calibration error before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from calib_monai.bins import top_label_bins
from calib_monai.posthoc.validation_set import Item, ValidationSet
from calib_monai.regions import Foreground, region_voxels


@dataclass(frozen=True)
class FitReport:
    """What fitting did on the validation set; "after" is with the temperatures that fitting left.

    Attributes:
        region: the voxels that were fitted to.
        volumes: number of images or volumes.
        voxels: number of voxels of the region in all of them.
        nll_before: mean negative log-likelihood of the labels of these voxels, in nats.
        nll_after: the same of the scaled logits.
        ece_foreground_before: calibration error as `ECEMetric()`, of voxels whose label is not background,
            per volume, then mean over volumes; NaN where no volume has a foreground.
        ece_foreground_after: the same of the scaled logits.
        temperature_min: lowest temperature of any voxel, in the region or not.
        temperature_max: highest.
        kept: whether fitted temperatures were kept; where the likelihood did not improve all are 1.
    """

    region: str
    volumes: int
    voxels: int
    nll_before: float
    nll_after: float
    ece_foreground_before: float
    ece_foreground_after: float
    temperature_min: float
    temperature_max: float
    kept: bool


class HasTemperatures(Protocol):
    """What gives temperatures to logits."""

    def temperature_of(self, item: Item) -> Tensor:
        """The temperature of each voxel, of a shape that broadcasts with the item's logits."""
        ...


@torch.no_grad()
def measured(calibrator: HasTemperatures, items: ValidationSet) -> FitReport:
    """The report of a calibrator as it is, from one pass over the validation set.

    Args:
        calibrator: gives the temperatures.
        items: the validation set.

    Raises:
        ValueError: what `ValidationSet` refuses.
    """
    nll = torch.zeros(2, dtype=torch.float64)
    errors, lowest, highest = [], [], []
    for item in items:
        temperature = calibrator.temperature_of(item)
        pair = [item, item._replace(logits=item.logits / temperature.to(item.logits))]
        nll += torch.stack([voxel_nll(each).sum(dtype=torch.float64).cpu() for each in pair])
        errors.append(torch.stack([_calibration_errors(each).cpu() for each in pair]))
        low, high = temperature.aminmax()
        lowest.append(low.item())
        highest.append(high.item())
    per_volume = torch.cat(errors, dim=1)
    before, after = (nll / items.voxels).tolist()
    ece_before, ece_after = per_volume.nanmean(dim=1).tolist()
    return FitReport(
        region=items.region.name,
        volumes=per_volume.shape[1],
        voxels=items.voxels,
        nll_before=before,
        nll_after=after,
        ece_foreground_before=ece_before,
        ece_foreground_after=ece_after,
        temperature_min=min(lowest),
        temperature_max=max(highest),
        kept=after < before,
    )


def voxel_nll(item: Item) -> Tensor:
    """Negative log-likelihood of the labels of the N voxels that are fitted to, (N,), in nats."""
    nll = torch.nn.functional.cross_entropy(item.logits, item.labels.squeeze(1), reduction="none")
    return nll[item.mask.squeeze(1)]


def _calibration_errors(item: Item) -> Tensor:
    """ECE of the foreground of each volume, (B,), NaN where it has none."""
    voxels = region_voxels(Foreground(), item.labels, item.logits)
    return torch.stack(
        [top_label_bins(logits.softmax(dim=0), labels).expected_calibration_error() for logits, labels in voxels]
    )
