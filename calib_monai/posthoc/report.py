"""The report of a fit: likelihood, calibration errors and volumes before and after."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from calib_monai.posthoc.errors import Errors, errors_of, mean_errors
from calib_monai.posthoc.scaling import scaled
from calib_monai.posthoc.validation_set import PIECE, Item, ValidationSet

FEW = 10  # volumes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitReport:
    """The result of a fit on the validation set; "after" uses the temperatures that the fit chose.

    Attributes:
        region: the region whose voxels were fitted to.
        volumes: number of images or volumes.
        voxels: number of voxels of the region in all of them.
        nll_before: mean negative log-likelihood of the labels of these voxels, in nats.
        nll_after: the same for the scaled logits.
        before: errors that an evaluation would measure, independent of the fitted region.
        after: the same for the scaled logits.
        temperature_min: lowest temperature of any voxel, in the region or not.
        temperature_max: highest temperature of any voxel.
        kept: whether fitted temperatures were kept. If the likelihood did not improve, all temperatures are 1.
    """

    region: str
    volumes: int
    voxels: int
    nll_before: float
    nll_after: float
    before: Errors
    after: Errors
    temperature_min: float
    temperature_max: float
    kept: bool


class Likelihood(NamedTuple):
    """Mean negative log-likelihood of the fitted voxels, and the range of the temperatures of all voxels."""

    before: float
    after: float
    temperature_min: float
    temperature_max: float


class HasTemperatures(Protocol):
    """A calibrator that gives a temperature for logits."""

    def temperature_of(self, item: Item) -> Tensor:
        """The temperature of each voxel, in a shape that broadcasts with the item's logits."""
        ...


@torch.no_grad()
def likelihood(calibrator: HasTemperatures, items: ValidationSet) -> Likelihood:
    """The likelihood of the labels with the present temperatures, from one pass over the validation set.

    Args:
        calibrator: gives the temperatures.
        items: the validation set.

    Raises:
        ValueError: what `ValidationSet` refuses.
    """
    nll = torch.zeros(2, dtype=torch.float64)
    lowest, highest = [], []
    for item in items:
        temperature = calibrator.temperature_of(item)
        calibrated = item._replace(logits=scaled(item.logits, temperature))
        nll += torch.stack([_summed_nll(item).cpu(), _summed_nll(calibrated).cpu()])
        low, high = temperature.aminmax()
        lowest.append(low.item())
        highest.append(high.item())
    before, after = (nll / items.voxels).tolist()
    return Likelihood(before, after, min(lowest), max(highest))


@torch.no_grad()
def reported(calibrator: HasTemperatures, items: ValidationSet, found: Likelihood) -> FitReport:
    """The report of the present temperatures, from one more pass; warn if there are few volumes.

    Args:
        calibrator: gives the temperatures.
        items: the validation set.
        found: the result of `likelihood` for both.

    Raises:
        ValueError: what `ValidationSet` refuses.
    """
    before: list[Tensor] = []
    after: list[Tensor] = []
    for item in items:
        before.append(errors_of(item.logits.softmax(dim=1), item.labels, item.ignored))
        probs = scaled(item.logits, calibrator.temperature_of(item)).contiguous()
        for piece in torch.split(probs.flatten(2), PIECE, dim=2):  # in place: these logits are this function's own
            piece.copy_(piece.softmax(dim=1))
        after.append(errors_of(probs, item.labels, item.ignored))
    volumes = sum(len(rows) for rows in before)
    if volumes < FEW:
        logger.warning("fitted to %d case(s): what suits fewer than %d may suit no others; fit to more", volumes, FEW)
    return FitReport(
        region=items.region.name,
        volumes=volumes,
        voxels=items.voxels,
        nll_before=found.before,
        nll_after=found.after,
        before=mean_errors(before),
        after=mean_errors(after),
        temperature_min=found.temperature_min,
        temperature_max=found.temperature_max,
        kept=found.after < found.before,
    )


def voxel_nll(item: Item) -> Tensor:
    """Negative log-likelihood of the labels of the N fitted voxels, (N,), in nats."""
    nll = torch.nn.functional.cross_entropy(item.logits, item.labels.squeeze(1), reduction="none")
    return nll[item.mask.squeeze(1)]


def _summed_nll(item: Item) -> Tensor:
    """The sum of `voxel_nll`, float64, in less memory."""
    total = torch.zeros((), dtype=torch.float64, device=item.logits.device)
    for logits, labels in item.voxels():
        total += torch.nn.functional.cross_entropy(logits[None], labels[None], reduction="none").sum(dtype=total.dtype)
    return total
