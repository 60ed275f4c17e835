"""Inferers: predict a whole scan, also outside the slice size of the network, and by each member of an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.inferers import Inferer, SliceInferer
from monai.utils import ensure_tuple
from torch import Tensor

from calib_monai.labels import most_probable
from calib_monai.networks.ensemble import EnsembleNetwork, log_of_mean
from calib_monai.tensor_checks import check_gives_logits

MEMBER_LABELS = "member_labels"  # in the output of an evaluator


def check_windows(inferer: object, slice_size: Sequence[int]) -> None:
    """Raise ValueError if an inferer shows the network windows of another size than its training did.

    Args:
        inferer: predicts whole images. One without `roi_size` has no windows.
        slice_size: of the training, H and W, or H, W and D of patches.
    """
    if isinstance(inferer, MembersInferer):
        inferer = inferer.inferer
    given = getattr(inferer, "orig_roi_size", getattr(inferer, "roi_size", None))  # SliceInferer changes its roi_size
    if given is None:
        return
    sizes = ensure_tuple(given)
    whole = sizes * len(slice_size) if len(sizes) == 1 else sizes
    if whole != tuple(slice_size):
        raise ValueError(
            f"inferer#roi_size is {list(sizes)}, and the network is made for {list(slice_size)}: it must see windows "
            "as in its training; leave out the option that changes the inferer"
        )


class WholeSliceInferer(SliceInferer):
    """MONAI's SliceInferer, for networks that were trained on the center of larger slices.

    The center of a slice is predicted at once, as in training. The rest is predicted in overlapping windows, with
    MONAI's Gaussian weights. (Windows everywhere would show the network its structures at unusual places: after a short
    training on ACDC, in slices that hold less than half the image, Dice was .17 instead of .67.)

    Args:
        roi_size: H and W of the network's input, in voxels.
        sw_batch_size: number of windows in a batch.
        spatial_dim: the axis along which slices lie, among H, W, D.
    """

    def __init__(self, roi_size: Sequence[int], sw_batch_size: int, spatial_dim: int = 2) -> None:
        super().__init__(spatial_dim, roi_size=roi_size, sw_batch_size=sw_batch_size)
        self.around = SliceInferer(spatial_dim, roi_size=roi_size, sw_batch_size=sw_batch_size, mode="gaussian")

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The network's output for the whole images, (B, C, H, W, D).

        Args:
            inputs: (B, Cin, H, W, D).
            network: takes slices (N, Cin, *roi_size) and gives (N, C, *roi_size).
            args: of the network.
            kwargs: of the network.
        """
        roi = list(self.orig_roi_size)
        roi.insert(self.spatial_dim, inputs.shape[2 + self.spatial_dim])
        sizes = [min(size, whole) for size, whole in zip(roi, inputs.shape[2:], strict=True)]
        starts = [whole // 2 - size // 2 for size, whole in zip(sizes, inputs.shape[2:], strict=True)]
        center: Any = (..., *(slice(start, start + size) for start, size in zip(starts, sizes, strict=True)))
        predicted = super().__call__(inputs[center], network, *args, **kwargs)
        if sizes == list(inputs.shape[2:]):
            return predicted
        whole_slices: Any = self.around(inputs, network, *args, **kwargs)
        whole_slices[center] = predicted
        return whole_slices


class MembersInferer(Inferer):
    """Applies an inferer to each member of an ensemble, and averages their probabilities of whole images.

    One member computes after the other. Kept are the mean so far and the label map of each member. Another network is
    handed on to the inferer.

    Args:
        inferer: predicts whole images with one network.

    Attributes:
        labels: of the last call with an ensemble, the class indices of its M members, (B, M, H, W[, D]), uint8.

    Note:
        `EnsembleNetwork` itself averages in each window. Where windows overlap, an inferer takes means of its
        logarithms. Here windows are joined first, so the result is the mean of what each member predicts alone.
    """

    def __init__(self, inferer: Callable[..., Any]) -> None:
        super().__init__()
        self.inferer = inferer
        self.labels: Tensor | None = None

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The logits of the whole images, (B, C, H, W[, D]), float32: the logarithm of the mean probabilities.

        Args:
            inputs: (B, Cin, H, W[, D]).
            network: an ensemble, or another network.
            args: of the network.
            kwargs: of the network.

        Raises:
            ValueError: a member gives probabilities in place of logits.
        """
        if not isinstance(network, EnsembleNetwork):
            return self.inferer(inputs, network, *args, **kwargs)
        labels: list[Tensor] = []

        def predicted(member: Callable[..., Any]) -> Tensor:
            logits: Tensor = self.inferer(inputs, member, *args, **kwargs)
            check_gives_logits(logits)
            labels.append(most_probable(logits.as_subclass(Tensor).movedim(1, 0))[0])
            return logits

        mean = log_of_mean(predicted(member) for member in network.members)
        self.labels = torch.stack(labels, dim=1)
        return mean
