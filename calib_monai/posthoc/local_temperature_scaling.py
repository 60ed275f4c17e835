"""Local temperature scaling (LTS): a temperature for each voxel, from its logits and its image."""

from __future__ import annotations

import copy
import logging
import math

import torch
from torch import Tensor, nn

from calib_monai.arguments import check_above_zero, check_spatial_dims, check_whole
from calib_monai.posthoc.report import FitReport, likelihood, reported, voxel_nll
from calib_monai.posthoc.scaling import HIGHEST, scaled
from calib_monai.posthoc.validation_set import Data, Item, ValidationSet
from calib_monai.regions import Region, region_of

logger = logging.getLogger(__name__)

KERNEL_SIZE = 5
DILATION = 2
PADDING = DILATION * (KERNEL_SIZE // 2)
LEAVES = 4  # leaves of the tree on the logits
GATES = 4  # two for the pairs of leaves, one between the pairs, one for the image's leaf


class LocalTemperatureScaling(nn.Module):
    r"""Divides the logits of each voxel by a temperature of its own, the same for all classes.

    ```math
    p_i = \mathrm{softmax}(l_i / T_i), \quad \log T = g_4 t + (1 - g_4) a, \quad
    t = g_3 (g_1 t_1 + (1 - g_1) t_2) + (1 - g_3) (g_2 t_3 + (1 - g_2) t_4)
    ```

    The leaves t_1 to t_4 are convolutions of the logits, the gates g_1 to g_4 are sigmoids of such convolutions, and
    the leaf a is a convolution of the image. All are 5 voxels wide, dilated by 2 and reflected at the border. The tree
    is that of LTS (Ding et al. 2021, arXiv:2008.05105). T is 1 until `fit`, and always between 0.01 and 100. No voxel
    changes its class: two logits that differ only by rounding may become equal, but never change places.

    Args:
        num_classes: number of classes C, background included.
        in_channels: channels of the image, at least 1.
        spatial_dims: 2 for convolutions of images, and of the slices along the last axis of volumes; 3 for
            convolutions of volumes.

    Raises:
        ValueError: an argument outside what is listed here.

    Note:
        In the authors' code T = relu(s + 2) + 1e-8, with s from the tree that gives log T here. Their weights start at
        zero, so T starts at 2; for s < -2 it is 1e-8. Their leaves and gates start equal and have equal gradients, so
        they stay equal: the tree acts as a single leaf. Here the leaves start at zero, and the gates do not.

    Examples:
        >>> calibrator = LocalTemperatureScaling(num_classes=3, in_channels=1)
        >>> logits, image = torch.randn(2, 3, 16, 16), torch.randn(2, 1, 16, 16)
        >>> torch.equal(calibrator(logits, image), logits)
        True
    """

    def __init__(self, num_classes: int, in_channels: int, spatial_dims: int = 2) -> None:
        super().__init__()
        check_whole("num_classes", num_classes, least=2)
        check_whole("in_channels", in_channels, least=1)
        check_spatial_dims(spatial_dims)
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.spatial_dims = spatial_dims
        self.bound = math.log(HIGHEST)
        self.of_logits = _convolution(num_classes, LEAVES + GATES, spatial_dims)
        self.of_image = _convolution(in_channels, 1, spatial_dims)
        self.reset()

    def reset(self, seed: int = 0) -> None:
        """Reset the temperature to 1: all leaves become zero, the gates are drawn like a convolution's weights."""
        generator = torch.Generator().manual_seed(seed)
        bound = 1 / math.sqrt(self.of_logits.weight[0].numel())
        with torch.no_grad():
            for weights in self.parameters():
                weights.zero_()
            for weights in self.of_logits.parameters():
                gates = torch.empty(weights[LEAVES:].shape).uniform_(-bound, bound, generator=generator)
                weights[LEAVES:] = gates.to(weights)

    def forward(self, logits: Tensor, image: Tensor) -> Tensor:
        """Calibrated logits, (B, C, H, W[, D]), float64 if the logits are, else float32.

        Args:
            logits: (B, C, H, W[, D]), any float dtype, at least 5 voxels along each axis of a convolution.
            image: (B, Cin, H, W[, D]).

        Raises:
            ValueError: another number of channels or axes, shapes that do not fit, or an axis that is too short.
        """
        return scaled(logits, self.temperature(logits, image))

    def temperature(self, logits: Tensor, image: Tensor) -> Tensor:
        """T of each voxel, (B, 1, H, W[, D]), float32 unless the weights are of another type; as `forward`."""
        return self.log_temperature(logits, image).clamp(-self.bound, self.bound).exp()

    def log_temperature(self, logits: Tensor, image: Tensor) -> Tensor:
        """Log T of each voxel before it is bounded, (B, 1, H, W[, D]); as `forward`."""
        if torch.jit.is_scripting():  # type: ignore[attr-defined]
            return self._log_temperature(logits, image)
        self._check(logits, image)
        with torch.autocast(logits.device.type, enabled=False):  # half precision changes temperatures by percents
            return self._log_temperature(logits, image)

    def _log_temperature(self, logits: Tensor, image: Tensor) -> Tensor:
        """As `log_temperature`, in the precision of the weights, unless it is changed from outside."""
        volumes = self.spatial_dims == 2 and logits.dim() == 5  # noqa: PLR2004 - dimensions
        depth = logits.size(-1)
        if volumes:
            logits, image = logits.movedim(-1, 1).flatten(0, 1), image.movedim(-1, 1).flatten(0, 1)
        weights = self.of_logits.weight
        channels = self.of_logits(logits.to(weights.dtype)).split(1, dim=1)
        gates = [channel.sigmoid() for channel in channels[4:]]
        first = channels[1].lerp(channels[0], gates[0])
        second = channels[3].lerp(channels[2], gates[1])
        tree = second.lerp(first, gates[2])
        blend: Tensor = self.of_image(image.to(weights.dtype)).lerp(tree, gates[3])
        if volumes:
            blend = torch.stack(torch.split(blend, depth)).movedim(1, -1)
        return blend

    def temperature_of(self, item: Item) -> Tensor:
        """T of each voxel of an item, (B, 1, H, W[, D]).

        Raises:
            ValueError: an item without an image, or as `forward`.
        """
        if item.image is None:
            raise ValueError("data gives (logits, target); local temperatures need (logits, target, image)")
        return self.temperature(item.logits, item.image)

    @staticmethod
    def check_fit(epochs: int = 20, learning_rate: float = 1e-3, region: str | Region = "all", seed: int = 0) -> None:
        """Raise ValueError if there is no such region, or a number is not in its range.

        Args:
            epochs: at least 1.
            learning_rate: above 0.
            region: one of `calib_monai.regions`, or its name.
            seed: at least 0.
        """
        check_whole("epochs", epochs, least=1)
        check_above_zero("learning_rate", learning_rate)
        region_of(region)
        check_whole("seed", seed, least=0)

    @torch.inference_mode(mode=False)  # in which nothing can be trained
    def fit(
        self,
        data: Data,
        epochs: int = 20,
        learning_rate: float = 1e-3,
        region: str | Region = "all",
        seed: int = 0,
        ignore_index: int | None = None,
    ) -> FitReport:
        """Minimize the negative log-likelihood with Adam; keep the best epoch, or T = 1 if no epoch is better.

        Each fit starts from T = 1. Each item is a step, in the order of the data. The same data and seed give the same
        weights.

        Args:
            data: the validation set: an iterable of (logits, target, image). It is iterated twice in each epoch and
                twice more. One item is held at a time.
            epochs: number of steps for each item.
            learning_rate: learning rate of Adam.
            region: the voxels whose likelihood counts: one of `calib_monai.regions`, or its name.
            seed: seed for the first weights of the gates.
            ignore_index: a label whose voxels are in no region.

        Raises:
            ValueError: what `check_fit`, `ValidationSet` or `forward` refuses, an item without an image, or weights in
                half precision or made in inference mode.

        Note:
            With region "foreground" the fit sees no voxel whose label is background, and learns to doubt every
            background. The likelihood of all voxels becomes many times worse.
        """
        self.check_fit(epochs, learning_rate, region, seed)
        if (kind := self.of_logits.weight.dtype) not in (torch.float32, torch.float64):
            raise ValueError(f"the weights are {kind}; a fit needs float32 or float64")
        if self.of_logits.weight.is_inference():
            raise ValueError(
                "the weights were made in torch.inference_mode, and cannot be trained: make them outside of it"
            )
        items = ValidationSet(data, region, self.of_logits.weight.device, ignore_index)
        self.reset(seed)
        best, weights = likelihood(self, items), copy.deepcopy(self.state_dict())
        optimizer = torch.optim.Adam(self.parameters(), lr=learning_rate)
        for epoch in range(1, epochs + 1):
            self._train(items, optimizer)
            found = likelihood(self, items)
            logger.info("LTS: epoch %d of %d, negative log-likelihood %.4f", epoch, epochs, found.after)
            if found.after < best.after:
                best, weights = found, copy.deepcopy(self.state_dict())
        self.load_state_dict(weights)
        return reported(self, items, best)

    @torch.enable_grad()
    def _train(self, items: ValidationSet, optimizer: torch.optim.Optimizer) -> None:
        """Make a step for each item on its share of the mean negative log-likelihood of all voxels."""
        for item in items:
            logits = scaled(item.logits, self.temperature_of(item))
            optimizer.zero_grad()
            (voxel_nll(item._replace(logits=logits)).sum() / items.voxels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    @torch.jit.unused
    def _check(self, logits: Tensor, image: Tensor) -> None:
        """Raise ValueError if logits and image do not fit this module or each other."""
        axes = (4, 5) if self.spatial_dims == 2 else (5,)  # noqa: PLR2004 - dimensions
        shape = f"{self.num_classes}, H, W{'[, D]' if self.spatial_dims == 2 else ', D'}"  # noqa: PLR2004 - dimensions
        if logits.ndim not in axes or logits.shape[1] != self.num_classes:
            raise ValueError(f"logits are {tuple(logits.shape)}; they must be (B, {shape})")
        if tuple(image.shape) != (len(logits), self.in_channels, *logits.shape[2:]):
            raise ValueError(
                f"image is {tuple(image.shape)} with logits {tuple(logits.shape)}; only its channels may differ, "
                f"and there must be {self.in_channels}"
            )
        if min(logits.shape[2 : 2 + self.spatial_dims]) <= PADDING:
            raise ValueError(
                f"logits are {tuple(logits.shape)}; each of the first {self.spatial_dims} axes of space must have at "
                f"least {PADDING + 1} voxels, to be reflected by {PADDING}"
            )


def _convolution(in_channels: int, out_channels: int, spatial_dims: int) -> nn.Conv2d | nn.Conv3d:
    """A convolution that keeps the size and reflects the border."""
    kind = nn.Conv2d if spatial_dims == 2 else nn.Conv3d  # noqa: PLR2004 - dimensions
    return kind(in_channels, out_channels, KERNEL_SIZE, padding=PADDING, dilation=DILATION, padding_mode="reflect")
