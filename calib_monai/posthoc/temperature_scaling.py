"""Temperature scaling (TS): one temperature for all voxels."""

from __future__ import annotations

import logging
import math

import torch
from torch import Tensor, nn

from calib_monai.posthoc.report import FitReport, likelihood, reported
from calib_monai.posthoc.scaling import HIGHEST, LOWEST, scaled
from calib_monai.posthoc.validation_set import Data, Item, ValidationSet
from calib_monai.regions import Region, region_of

TOLERANCE = 1e-5  # relative, of the inverse temperature
AT_END = 1.001  # a temperature within this factor of an end of its range is that end
MOST_PASSES = 60  # 30 halvings of the range are more exact than the tolerance; half of the steps may be Newton's

logger = logging.getLogger(__name__)


class TemperatureScaling(nn.Module):
    r"""Divides all logits by one temperature.

    ```math
    p = \mathrm{softmax}(l / T)
    ```

    The temperature T minimizes the negative log-likelihood of a validation set (Guo et al. 2017, arXiv:1706.04599,
    Eq. 9). T is 1 until `fit`. No voxel changes its class: two logits that differ only by rounding may become equal,
    but never change places.

    Attributes:
        log_temperature: log T, a scalar; T is positive for any value.

    Note:
        The authors of MbLS took T from a grid of 0.1 to 10 in steps of 0.1, and fitted it to the training set. Here T
        is exact. It would be 0 for a network that is never wrong, and infinite for a network that is worse than chance;
        T stays between 0.01 and 100.

    Examples:
        >>> logits = torch.tensor([2.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 4, 1)
        >>> calibrator = TemperatureScaling()
        >>> report = calibrator.fit([(logits, torch.tensor([0, 0, 0, 1]).view(1, 1, 4, 1))])
        >>> calibrator(logits).softmax(dim=1)[0, 0, 0]
        tensor([0.7500], grad_fn=<SelectBackward0>)
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_temperature = nn.Parameter(torch.zeros(()))

    @property
    def temperature(self) -> Tensor:
        """T, a scalar."""
        return self.log_temperature.exp()

    def forward(self, logits: Tensor, image: Tensor | None = None) -> Tensor:  # noqa: ARG002 - as other calibrators
        """Calibrated logits, (B, C, H, W[, D]), float64 if the logits are, else float32.

        Args:
            logits: (B, C, H, W[, D]), any float dtype.
            image: not used.
        """
        return scaled(logits, self.temperature)

    def temperature_of(self, item: Item) -> Tensor:  # noqa: ARG002 - as other calibrators
        """T, a scalar."""
        return self.temperature

    @staticmethod
    def check_fit(region: str | Region = "all") -> None:
        """Raise ValueError if there is no such region."""
        region_of(region)

    @torch.no_grad()
    def fit(self, data: Data, region: str | Region = "all", ignore_index: int | None = None) -> FitReport:
        """Find the temperature that minimizes the negative log-likelihood, or keep 1 if none is better.

        Args:
            data: the validation set: an iterable of (logits, target) or (logits, target, image). It is iterated 8
                to 12 times as a rule, and at most 63 times. One item is held at a time.
            region: the voxels whose likelihood counts: one of `calib_monai.regions`, or its name.
            ignore_index: a label whose voxels are in no region.

        Raises:
            ValueError: what `ValidationSet` refuses.

        Note:
            The papers fit to all voxels, most of which are certain background. If the report shows that the temperature
            suits the background only, fit to "plausible". "foreground", "union" and "boundary" depend on the label: a
            temperature that is fitted there makes the likelihood of all voxels worse, and volumes wrong.
        """
        items = ValidationSet(data, region, self.log_temperature.device, ignore_index)
        self.log_temperature.fill_(-math.log(_best_inverse_temperature(items)))
        found = likelihood(self, items)
        if not found.after < found.before:
            self.log_temperature.zero_()
            found = likelihood(self, items)
        elif not LOWEST * AT_END < self.temperature.item() < HIGHEST / AT_END:
            logger.warning(
                "the temperature is %.4g, an end of its range (%g to %g), as the validation labels do not determine "
                "it: check that they hold every structure, and that the logits are of usual size",
                self.temperature.item(),
                LOWEST,
                HIGHEST,
            )
        return reported(self, items, found)


def _best_inverse_temperature(items: ValidationSet) -> float:
    """The inverse temperature at which the slope of the negative log-likelihood is 0.

    This is Newton's method; the negative log-likelihood is convex in the inverse temperature. A step that leaves the
    range in which the slope changes its sign, or that does not halve the step before, is replaced by the range's
    geometric middle. SciPy's `brentq` finds the same to 1e-6, but needs 10 to 14 passes through the validation set.
    This method needed 5 to 9.
    """
    low, high = 1 / HIGHEST, 1 / LOWEST
    inverse, last_step = 1.0, math.inf
    for _ in range(MOST_PASSES):
        slope, curvature = _slope_and_curvature(items, inverse)
        if slope == 0:
            break
        low, high = (low, inverse) if slope > 0 else (inverse, high)
        following = inverse - slope / curvature if curvature > 0 else math.inf
        if not (low < following < high and abs(following - inverse) < last_step / 2):
            following = math.sqrt(low * high)
        last_step, inverse = abs(following - inverse), following
        if last_step < TOLERANCE * inverse:
            break
    return inverse


def _slope_and_curvature(items: ValidationSet, inverse: float) -> tuple[float, float]:
    """First and second derivative of the sum over voxels of -log p_y by the inverse temperature.

    With d_k = l_k - l_y they are the mean and the variance of d over the classes' probabilities.
    """
    sums = torch.zeros(2, dtype=torch.float64)
    for item in items:
        for logits, labels in item.voxels():
            differences = logits - logits.gather(0, labels.unsqueeze(0))
            probs = (inverse * differences).softmax(dim=0)
            mean = (probs * differences).sum(dim=0)
            variance = (probs * (differences - mean).square()).sum(dim=0)
            sums += torch.stack([mean.sum(dtype=torch.float64), variance.sum(dtype=torch.float64)]).cpu()
    slope, curvature = sums.tolist()
    return slope, curvature
